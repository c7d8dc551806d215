"""Training the backbone itself against adaptors on its frozen vectors: quality, time and memory (open question 1)."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from smec.errors import SmecError, nearest_name
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings
from smec.studies.blocks import Block, adjust, blocks, gap, quality
from smec.studies.comparison import Labelled

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("dataset", "backbone", "size", "row", "run", "mean", "low", "high", "n_seeds", "n_queries"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
    *("training_seconds", "encoding_seconds", "peak_bytes", "trained_parameters"),
)


class FullParameterStudy(StudySettings):
    """Which runs are set beside each other; those that train the backbone are told by their method."""

    reads: ClassVar[tuple[Reads, ...]] = ("scores", "stages", "encodings")

    kind: Literal["full_parameter"] = "full_parameter"
    rows: Labelled = Field(description="Label of each row and the name of its run, in order.")
    baseline: str = Field(description="Label of the row that the others are measured from: an adaptor.")

    @model_validator(mode="after")
    def _baseline_is_a_row(self) -> "FullParameterStudy":
        labels = [label for label, _ in self.rows]
        if self.baseline not in labels:
            raise ValueError(
                f"the baseline {self.baseline!r} is none of the rows. {nearest_name(self.baseline, labels)}"
            )
        return self

    def runs(self) -> tuple[str, ...]:
        """Return the run of each row, each once."""
        return tuple(dict.fromkeys(run for _, run in self.rows))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per dataset, backbone, size and row of the study, in `COLUMNS`.

    `training_seconds` is the wall-clock time of all training jobs of a run, loading included; `encoding_seconds` what a
    trained backbone takes to encode the dataset anew, 0 for adaptors; `peak_bytes` the largest resident set of a
    training job, or its peak on the GPU where that is larger. All three are means over seeds. `trained_parameters` are
    the numbers that training may change.

    Raises:
        SmecError: scores or records are missing, or those of an encoding are not a benchmark file.
    """
    import pandas as pd

    study: FullParameterStudy = job.settings
    costs = {(e.dataset, e.backbone): {run: _cost(job, e, run) for run in study.runs()} for e in job.experiments}
    found: list[dict[str, Any]] = []
    for block in blocks(job, study.runs(), lambda experiment: experiment.sizes, average=False):
        rows = _quality(block, study)
        adjust(rows)
        found += [row | costs[block.dataset, block.backbone][row["run"]] for row in rows]
    return pd.DataFrame(found, columns=list(COLUMNS))


def encoding_file(dataset: str, backbone: str, run: str, seed: int, role: str) -> str:
    """Return where the workflow leaves the time of an encoding by a trained backbone, below the results."""
    return f"benchmarks/embed_finetuned/{dataset}.{backbone}.{run}.seed{seed}.{role}.tsv"


def _quality(block: Block, study: FullParameterStudy) -> list[dict[str, Any]]:
    from smec.analysis.cells import difference

    runs, found = dict(study.rows), list[dict[str, Any]]()
    for size in block.sizes:
        level = block.cells[runs[study.baseline], size]
        for label, run in study.rows:
            cell = block.cells[run, size]
            row: dict[str, Any] = block.place | {"size": size, "row": label, "run": run} | quality(cell)
            found.append(row if label == study.baseline else row | gap(difference(cell, level)))
    return found


def _cost(job: StudyJob, experiment: StudyExperiment, run: str) -> dict[str, float]:
    by_seed = [_cost_of_seed(job, experiment, run, seed) for seed in job.seeds_of(run)]
    return {name: float(np.mean([cost[name] for cost in by_seed])) for name in by_seed[0]}


def _cost_of_seed(job: StudyJob, experiment: StudyExperiment, run: str, seed: int) -> dict[str, float]:
    from smec.backbone_method import BackboneMethod
    from smec.compressors import method_named

    records = job.records(experiment, run, seed)
    trains_backbone = isinstance(method_named(job.known[run].method), BackboneMethod)
    if trains_backbone:
        trained = sum(record["trained_parameters"] for record in records)
        encoding = sum(_encoding_seconds(job, experiment, run, seed, role) for role in ("corpus", "queries"))
    else:
        learned = any(record.get("loss") for record in records)
        stages = job.stages(experiment, run, seed) if learned else []
        trained = sum(tensor.size for stage in stages for tensor in stage.tensors.values())
        encoding = 0.0
    peaks = [max(record["peak_memory_bytes"], record.get("peak_gpu_bytes", 0)) for record in records]
    return {
        "training_seconds": sum(record["wall_clock_seconds"] for record in records),
        "encoding_seconds": encoding,
        "peak_bytes": max(peaks),
        "trained_parameters": trained,
    }


def _encoding_seconds(job: StudyJob, experiment: StudyExperiment, run: str, seed: int, role: str) -> float:
    name = encoding_file(experiment.dataset, experiment.backbone, job.known[run].path, seed, role)
    path = job.results / name
    try:
        head, values = path.read_text(encoding="utf-8").splitlines()[:2]
        return float(dict(zip(head.split("\t"), values.split("\t"), strict=True))["s"])
    except (OSError, ValueError, KeyError) as error:
        raise SmecError(
            f"{path} is not the benchmark of an encoding ({error}). Delete it and its store, and run the step again."
        ) from error
