"""The scores that studies of scores compare: a block per dataset, and one of each mean over several."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smec.studies.base import StudyExperiment, StudyJob

if TYPE_CHECKING:
    from smec.analysis.cells import Cell, Difference

AVERAGE = "average"
"""What the mean over datasets is called, as in the tables of views."""


@dataclass(frozen=True)
class Block:
    """Scores on one dataset, or their mean over a group of datasets or over all datasets of a backbone.

    Attributes:
        dataset: its name, that of the group, or `AVERAGE`.
        backbone: its name.
        sizes: that are looked at, largest first; of a mean those that all its datasets have.
        cells: by run, as the study names it, and size.
        averaged: whether it is a mean over several datasets.
    """

    dataset: str
    backbone: str
    sizes: tuple[int, ...]
    cells: "Mapping[tuple[str, int], Cell]"
    averaged: bool = False

    @property
    def place(self) -> dict[str, str]:
        """The columns that say where a row of the study's frame belongs."""
        return {"dataset": self.dataset, "backbone": self.backbone}


def blocks(
    job: StudyJob,
    runs: Sequence[str],
    sizes_of: Callable[[StudyExperiment], tuple[int, ...]],
    average: bool = True,
) -> Iterator[Block]:
    """Yield a block per experiment, then, for each backbone, the mean of each group of datasets and of all of them.

    Args:
        job: of the study.
        runs: names of the runs to look at.
        sizes_of: the sizes of an experiment to look at, largest first.
        average: whether the means are wanted.

    Raises:
        SmecError: scores are missing or damaged.
    """
    from smec.analysis.cells import means_over

    groups = {experiment.dataset: experiment.group for experiment in job.experiments if experiment.group}
    by_backbone: dict[str, list[Block]] = {}
    for experiment in job.experiments:
        sizes = sizes_of(experiment)
        found = Block(experiment.dataset, experiment.backbone, sizes, _cells(job, experiment, runs, sizes))
        by_backbone.setdefault(experiment.backbone, []).append(found)
        yield found
    for backbone, sets in by_backbone.items():
        means = means_over({block.dataset: block.cells for block in sets}, groups) if average else {}
        for name, cells in means.items():
            yield Block(name, backbone, tuple(sorted({size for _, size in cells}, reverse=True)), cells, averaged=True)


def quality(cell: "Cell") -> dict[str, Any]:
    """Return the columns of a run's own quality: mean, low, high, n_seeds, n_queries."""
    low, high = cell.interval
    return {"mean": cell.mean, "low": low, "high": high, "n_seeds": cell.n_seeds, "n_queries": cell.n_queries}


def gap(difference: "Difference") -> dict[str, float]:
    """Return the columns of a difference: difference, difference_low, difference_high, p."""
    named = {"difference": difference.mean, "difference_low": difference.low, "difference_high": difference.high}
    return named | {"p": difference.p}


def adjust(rows: Sequence[dict[str, Any]]) -> None:
    """Fill in `p_holm` of the rows that have a `p`, adjusted over all of them at once."""
    import numpy as np

    from smec.statistics import holm

    tested = [row for row in rows if "p" in row]
    for row, adjusted in zip(tested, holm(np.array([row["p"] for row in tested])).tolist(), strict=True):
        row["p_holm"] = adjusted


def _cells(
    job: StudyJob, experiment: StudyExperiment, runs: Sequence[str], sizes: Sequence[int]
) -> "dict[tuple[str, int], Cell]":
    from smec.analysis.cells import cell

    place = f"{experiment.dataset}/{experiment.backbone}"
    found: dict[tuple[str, int], Cell] = {}
    for run in runs:
        values = job.values(experiment, run)
        found |= {(run, size): cell(values[size], place) for size in sizes}
    return found
