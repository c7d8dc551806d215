"""S-XBM by the size of its memory: quality, time of a training step, and bytes (SMEC, the figure of the memory size).

Quality comes from runs that differ in `memory_size` alone, and from one without the loss. Time is that of the first
stage's step, forward and backward, on full memories that training itself has filled; all sizes are timed in turn in one
process.
"""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt

from smec.paper_values import MEMORY
from smec.settings import Distinct
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings

if TYPE_CHECKING:
    import pandas as pd

    from smec.analysis.memory_step import MemoryStep

NO_LOSS, ALL = "no loss", "all"
WARM_UP = 2
FORWARD, STEP = "forward seconds", "step seconds"
SMALLEST_OF_PAPER = str(min(MEMORY))
"""What the paper's curve is followed from: its own memories start here."""
MEAN = 0
"""Stands in the column `dim` for the mean over the sizes below the backbone's width."""

Row = dict[str, Any]
EMPTY: Row = {"dim": MEAN, "low": np.nan, "high": np.nan, "p": np.nan, "p_holm": np.nan}


class MemoryStudy(StudySettings):
    """Quality, seconds and bytes over the size of the memory."""

    reads: ClassVar[tuple[Reads, ...]] = ("scores", "data")

    kind: Literal["memory"] = "memory"
    entry: str = Field("smec", description="Run whose `memory_size` is varied; its method has an L_unsup.")
    sizes: Distinct[NonNegativeInt] = Field(
        (0, 1000, 2000, 5000, 10_000, 15_000),
        description="Vectors in the memory; 0: the neighbours are those within the batch.",
    )
    rounds: int = Field(15, ge=3, description="Steps of each size that are timed.")

    def runs(self) -> tuple[str, ...]:
        """Return a run per size, and the one without the loss."""
        return (*(self.run_of(size) for size in self.sizes), self.without_loss())

    def run_of(self, size: int) -> str:
        """Return the run with a memory of `size`."""
        return f"{self.entry},memory_size={size}"

    def without_loss(self) -> str:
        """Return the run without L_unsup."""
        return f"{self.entry},alpha=0"


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per measure and memory size: value, low, high."""
    import pandas as pd

    rows: list[Row] = []
    for experiment in job.experiments:
        place = {"dataset": experiment.dataset, "backbone": experiment.backbone}
        measured = [*_quality(job, experiment), *_cost(job, experiment)]
        rows += [place | EMPTY | row for row in measured]
    return pd.DataFrame(rows)


def _quality(job: StudyJob, experiment: StudyExperiment) -> Iterator[Row]:
    """Yield nDCG@10 at each size, its mean, and how far that is above the means of the references."""
    from smec.statistics import bootstrap_interval

    settings: MemoryStudy = job.settings
    draw = zlib.crc32(f"{experiment.dataset}/{experiment.backbone}".encode())
    named = {NO_LOSS: settings.without_loss()} | {str(size): settings.run_of(size) for size in settings.sizes}
    means = {}
    for name, run in named.items():
        values = job.values(experiment, run)
        means[name] = np.mean([values[size] for size in values if size < experiment.width], axis=0)
        for size, scores in {**values, MEAN: means[name]}.items():
            low, high = bootstrap_interval(scores, seed=draw)
            row: Row = {"memory": name, "measure": "ndcg@10", "dim": size}
            yield row | {"value": scores.mean(), "low": low, "high": high} | _counts(scores)
    for reference in (NO_LOSS, "0", SMALLEST_OF_PAPER):
        if reference in means:
            yield from _gains(means, reference, draw)
    for size in experiment.sizes:
        if size < experiment.width:
            yield {"memory": ALL, "measure": "averaged size", "value": size}


def _gains(means: dict[str, NDArray[np.float64]], reference: str, draw: int) -> Iterator[Row]:
    from smec.statistics import bootstrap_means, holm, paired_test, percentile_interval

    others = [name for name in means if name not in (reference, NO_LOSS)]
    p_values = [paired_test(means[name], means[reference]) for name in others]
    for name, p, adjusted in zip(others, p_values, holm(np.array(p_values)).tolist(), strict=True):
        gaps = bootstrap_means(means[name], seed=draw) - bootstrap_means(means[reference], seed=draw)
        low, high = percentile_interval(gaps)
        row: Row = {"memory": name, "measure": f"gain over {reference}", "p": p, "p_holm": adjusted}
        row |= {"value": means[name].mean() - means[reference].mean(), "low": low, "high": high}
        yield row | _counts(means[name])


def _counts(values: NDArray[np.float64]) -> Row:
    return {"n_seeds": values.shape[0], "n_queries": values.shape[1]}


def _cost(job: StudyJob, experiment: StudyExperiment) -> Iterator[Row]:
    """Yield seconds, ratios, bytes and what the neighbours are worth, for each memory size."""
    from smec.analysis.timing import in_turn, ratios, spread

    settings: MemoryStudy = job.settings
    steps = _steps(job, experiment)
    calls: dict[str, Callable[[], Sequence[float]]] = {name: step.timed for name, step in steps.items()}
    times = in_turn(calls, settings.rounds, WARM_UP)
    for name, step in steps.items():
        forward, whole = times[name].T
        measures = {FORWARD: spread(forward), STEP: spread(whole)}
        if "0" in times:
            measures[f"{STEP}, ratio to 0"] = ratios(whole, times["0"][:, 1])
        if SMALLEST_OF_PAPER in times:
            measures[f"{FORWARD}, ratio to {SMALLEST_OF_PAPER}"] = ratios(forward, times[SMALLEST_OF_PAPER][:, 0])
        for measure, (median, low, high) in measures.items():
            yield {"memory": name, "measure": measure, "value": median, "low": low, "high": high}
        for measure, value in step.amounts().items():
            yield {"memory": name, "measure": measure, "value": value}
    for measure, value in _conditions(job).items():
        yield {"memory": ALL, "measure": measure, "value": value}


def _steps(job: StudyJob, experiment: StudyExperiment) -> "dict[str, MemoryStep]":
    from smec.analysis.memory_step import MemoryStep, training_stream

    settings: MemoryStudy = job.settings
    data = job.training_data(experiment)
    shorter = next(size for size in experiment.sizes if size < experiment.width)
    options = {NO_LOSS: job.options(settings.without_loss())}
    options |= {str(size): job.options(settings.run_of(size)) for size in settings.sizes}
    batches, passed = training_stream(data, options[NO_LOSS], max(settings.sizes), WARM_UP + settings.rounds + 1)
    return {name: MemoryStep(chosen, data, shorter, batches, passed) for name, chosen in options.items()}


def _conditions(job: StudyJob) -> dict[str, float]:
    import torch

    settings: MemoryStudy = job.settings
    neighbours = job.options(settings.without_loss()).neighbours
    machine = {"threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    return {"rounds": settings.rounds, "neighbours": neighbours, **machine}
