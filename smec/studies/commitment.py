"""Whether adaptive selection commits: how undecided it is over the epochs, by the temperature of its noise."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from smec.errors import SmecError
from smec.settings import Distinct
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings
from smec.studies.blocks import adjust, gap, quality

if TYPE_CHECKING:
    import pandas as pd

Temperature = Annotated[float, Field(ge=0)]
Schedule = tuple[Temperature, Temperature]
"""Temperature at the start of a stage and at its end."""

COMPLAINT = "the selection"
"""How the warnings of a record begin that are about commitment."""

COLUMNS = (
    *("dataset", "backbone", "size", "run", "start", "end", "measure", "epoch", "mean", "low", "high"),
    *("n_seeds", "n_queries", "detected", "difference", "difference_low", "difference_high", "p", "p_holm", "limit"),
)


class CommitmentStudy(StudySettings):
    """Which temperatures are tried, on which chain."""

    reads: ClassVar[tuple[Reads, ...]] = ("scores", "records")

    kind: Literal["commitment"] = "commitment"
    base: str = Field("smec", description="Name of the run whose temperatures are changed; it selects by ADS.")
    schedules: Distinct[Schedule] = Field(
        ((0.0, 0.0), (0.1, 0.1), (1.0, 1.0), (10.0, 10.0), (100.0, 100.0), (1.0, 0.1)),
        description="Temperature at the start and at the end of a stage, of each run.",
    )
    baseline: Schedule = Field((1.0, 0.1), description="The schedule that the others are measured from.")
    size: int | None = Field(None, ge=1, description="Stage to look at, by its size; null: the first one.")

    @model_validator(mode="after")
    def _baseline_is_tried(self) -> "CommitmentStudy":
        if self.baseline not in self.schedules:
            raise ValueError(f"the baseline {list(self.baseline)} is none of the `schedules`; add it, or name another")
        return self

    def runs(self) -> tuple[str, ...]:
        """Return the run of each schedule."""
        return tuple(run_of(self.base, schedule) for schedule in self.schedules)


def run_of(base: str, schedule: Schedule) -> str:
    """Return the name of the run with other temperatures.

    >>> run_of("smec,epochs=5", (1.0, 0.1))
    'smec,epochs=5,gumbel_temperature=1,final_gumbel_temperature=0.1'
    """
    start, end = schedule
    return f"{base},gumbel_temperature={start:g},final_gumbel_temperature={end:g}"


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return the rows of each dataset, backbone and schedule, in `COLUMNS`.

    `measure` is one of

    - `entropy` and `changed`, a row per epoch, 0 the start: how undecided the selection is under the noise at the end
      of the stage, in [0, 1], and the share of its dimensions that changed in that epoch; over seeds;
    - `final_entropy` and `late_change`: the entropy of the epoch that is kept and the largest change in one of the last
      epochs up to it, NaN where no seed keeps an epoch that is late; `limit` is the value above which a record warns;
    - `ndcg@10` of the test queries at the size of the stage, with the difference from the baseline, paired by query;
      `detected` is the share of the seeds whose record warns of the selection.

    Raises:
        SmecError: an experiment has no stage of that size, or a record holds no selection.
    """
    import pandas as pd

    found: list[dict[str, Any]] = []
    for experiment in job.experiments:
        place = {"dataset": experiment.dataset, "backbone": experiment.backbone}
        size = _size(experiment, job.settings.size)
        scored: list[dict[str, Any]] = []
        for schedule in job.settings.schedules:
            run = run_of(job.settings.base, schedule)
            own = place | {"size": size, "run": run, "start": schedule[0], "end": schedule[1]}
            records = [_record(job, experiment, run, seed, size) for seed in job.seeds_of(run)]
            found += [own | row for row in _curves(records)]
            scored.append(own | _scored(job, experiment, run, size, records))
        adjust(scored)
        found += scored
    return pd.DataFrame(found, columns=list(COLUMNS))


def _size(experiment: StudyExperiment, size: int | None) -> int:
    staged = [one for one in experiment.sizes if one < experiment.width]
    if size is not None and size not in staged:
        raise SmecError(
            f"The study looks at the stage of {size} dimensions, but {experiment.dataset} with {experiment.backbone} "
            f"has the stages {staged}. Change `size` of the study."
        )
    return staged[0] if size is None else size


def _record(job: StudyJob, experiment: StudyExperiment, run: str, seed: int, size: int) -> dict[str, Any]:
    for record in job.records(experiment, run, seed):
        # A map for all sizes at once has one record, of no size.
        if record["spec"]["size"] in (size, None) and record.get("selection_per_epoch"):
            return record
    raise SmecError(
        f"The record of {run} at {size} dimensions, seed {seed}, follows no selection. Name a run as `base` that "
        "selects by ADS, such as smec."
    )


def _curves(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entropy and change per epoch, and what of them the warnings look at."""
    from smec.ads import SETTLED_CHANGE, late_change
    from smec.history import notes_up_to
    from smec.selection import COMMITTED_ENTROPY

    notes = [record["selection_per_epoch"] for record in records]
    found = []
    for measure in ("entropy", "changed"):
        for epoch in range(len(notes[0])):
            values = [one[epoch][measure] for one in notes]
            found.append({"measure": measure, "epoch": epoch} | _over_seeds(values))
    kept = [notes_up_to(record["kept_epoch"], record["selection_per_epoch"]) for record in records]
    final = _over_seeds([one[-1]["entropy"] for one in kept])
    late = _over_seeds([late for late in map(late_change, kept) if late is not None] or [math.nan])
    found.append({"measure": "final_entropy", "limit": COMMITTED_ENTROPY} | final)
    found.append({"measure": "late_change", "limit": SETTLED_CHANGE} | late)
    return found


def _over_seeds(values: Sequence[float]) -> dict[str, Any]:
    from smec.analysis.seeds import mean_over_seeds

    mean, low, high = mean_over_seeds(values)
    return {"mean": mean, "low": low, "high": high, "n_seeds": len(values)}


def _scored(
    job: StudyJob, experiment: StudyExperiment, run: str, size: int, records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    from smec.analysis.cells import cell, difference

    place = f"{experiment.dataset}/{experiment.backbone}"
    warned = [any(told.startswith(COMPLAINT) for told in record["warnings"]) for record in records]
    own = cell(job.values(experiment, run)[size], place)
    row = {"measure": "ndcg@10", "detected": sum(warned) / len(warned)} | quality(own)
    baseline = run_of(job.settings.base, job.settings.baseline)
    if run == baseline:
        return row
    return row | gap(difference(own, cell(job.values(experiment, baseline)[size], place)))
