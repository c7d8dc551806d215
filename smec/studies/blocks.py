"""The scores that studies of scores compare: a block per dataset, and one of the average where there are several."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smec.studies.base import StudyJob

if TYPE_CHECKING:
    from smec.analysis.cells import Cell, Difference

AVERAGE = "average"
"""What the mean over datasets is called, as in the tables of views."""


@dataclass(frozen=True)
class Block:
    """Scores on one dataset, or their average over all datasets of a backbone.

    Attributes:
        dataset: its name, or `AVERAGE`.
        backbone: its name.
        width: of the backbone.
        sizes: largest first; of the average those that all datasets have.
        cells: by run, as the study names it, and size.
    """

    dataset: str
    backbone: str
    width: int
    sizes: tuple[int, ...]
    cells: "Mapping[tuple[str, int], Cell]"

    @property
    def place(self) -> dict[str, str]:
        """The columns that say where a row of the study's frame belongs."""
        return {"dataset": self.dataset, "backbone": self.backbone}


def blocks(job: StudyJob, runs: Sequence[str]) -> Iterator[Block]:
    """Yield a block per experiment, then, for each backbone with several datasets, their average.

    Raises:
        SmecError: scores are missing or damaged.
    """
    from smec.analysis.cells import averaged

    by_backbone: dict[str, list[Block]] = {}
    for experiment in job.experiments:
        found = Block(
            experiment.dataset, experiment.backbone, experiment.width, experiment.sizes, _cells(job, experiment, runs)
        )
        by_backbone.setdefault(experiment.backbone, []).append(found)
        yield found
    for backbone, sets in by_backbone.items():
        sizes = tuple(size for size in sets[0].sizes if all(size in other.sizes for other in sets))
        if len(sets) > 1 and sizes:
            cells = {(run, size): averaged([one.cells[run, size] for one in sets]) for run in runs for size in sizes}
            yield Block(AVERAGE, backbone, sets[0].width, sizes, cells)


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


def _cells(job: StudyJob, experiment: Any, runs: Sequence[str]) -> "dict[tuple[str, int], Cell]":
    from smec.analysis.cells import cell

    place = f"{experiment.dataset}/{experiment.backbone}"
    return {(run, size): cell(values, place) for run in runs for size, values in job.values(experiment, run).items()}
