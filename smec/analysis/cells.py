"""The scores of a run at a size, alone or averaged over datasets, and the paired difference of two such.

Queries and seeds are crossed in every interval, see `smec.statistics.bootstrap_means`. Two cells of one dataset draw
the same queries and, where both have as many seeds, the same seeds: so the interval of their difference is paired.

An average draws the queries of each of its datasets by themselves: the datasets are fixed, their queries are the
sample. A test of an average flips the sign of each query's difference, weighted as in the average.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.statistics import Interval, bootstrap_means, paired_differences, percentile_interval, sign_flip_test

AVERAGE = "average"
"""What the mean over all datasets of a backbone is called."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """The scores of one run at one size.

    Attributes:
        values: float64 (S, n) per dataset, seeds and query ids ascending.
        weights: of each dataset in the mean; their sum is 1.
        means: float64 (resamples,), bootstrap means, weighted over the datasets.
    """

    values: tuple[Values, ...]
    weights: tuple[float, ...]
    means: Values

    @property
    def mean(self) -> float:
        """Mean over seeds and queries of each dataset, weighted over the datasets."""
        return float(sum(weight * values.mean() for weight, values in zip(self.weights, self.values, strict=True)))

    @property
    def interval(self) -> Interval:
        """The 95 % bootstrap interval of the mean."""
        return percentile_interval(self.means)

    @property
    def n_queries(self) -> int:
        """Queries of all datasets."""
        return sum(len(values[0]) for values in self.values)

    @property
    def n_seeds(self) -> int:
        """Seeds of the dataset that has the fewest."""
        return min(len(values) for values in self.values)


Cells = Mapping[tuple[str, int], Cell]
"""By run and size."""


class Difference(NamedTuple):
    """The mean of one cell minus that of another, with its 95 % interval and the p value of no difference."""

    mean: float
    low: float
    high: float
    p: float


def cell(values: Values, place: str) -> Cell:
    """Return the cell of one dataset.

    Args:
        values: float64 (S, n).
        place: of what the queries are, such as dataset/backbone: equal places draw the same bootstrap samples.

    Raises:
        SmecError: there are no values, or one is NaN or infinite.
    """
    return Cell((values,), (1.0,), bootstrap_means(values, seed=zlib.crc32(place.encode())))


def averaged(cells: Sequence[Cell]) -> Cell:
    """Return the mean of `cells` of one run at one size, each weighing the same whatever it is itself a mean of."""
    return Cell(
        tuple(values for one in cells for values in one.values),
        tuple(weight / len(cells) for one in cells for weight in one.weights),
        np.mean([one.means for one in cells], axis=0),
    )


def means_over(sets: Mapping[str, Cells], groups: Mapping[str, str]) -> dict[str, Cells]:
    """Return what is averaged over the datasets of a backbone: each group, then all.

    A group of several datasets, such as the sub-forums of CQADupStack, counts as one dataset in the average over all,
    as BEIR has it. An average has the runs and sizes that all its members have.

    Args:
        sets: the cells of each dataset, in order.
        groups: for a dataset that is a part of a larger one, the name of that one.

    Returns:
        Cells by name, the average over all under `AVERAGE`; nothing for a group of one, or where nothing is common.
    """
    members: dict[str, list[str]] = {}
    for dataset in sets:
        members.setdefault(groups.get(dataset, dataset), []).append(dataset)
    units = {name: _averaged(sets[part] for part in parts) for name, parts in members.items()}
    found = {name: units[name] for name, parts in members.items() if len(parts) > 1}
    if len(units) > 1:
        found[AVERAGE] = _averaged(units.values())
    return {name: cells for name, cells in found.items() if cells}


def _averaged(sets: Iterable[Cells]) -> Cells:
    known = list(sets)
    if len(known) == 1:
        return known[0]
    return {key: averaged([cells[key] for cells in known]) for key in known[0] if all(key in cells for cells in known)}


def difference(first: Cell, second: Cell) -> Difference:
    """Return `first` minus `second`, paired by query; the test takes the mean over seeds per query first.

    Raises:
        SmecError: the two are of different datasets or different numbers of queries.
    """
    if len(first.values) != len(second.values):
        raise SmecError(f"One run was scored on {len(first.values)} datasets and the other on {len(second.values)}.")
    gaps = [paired_differences(a, b) for a, b in zip(first.values, second.values, strict=True)]
    weighted = np.concatenate([w * gap / gap.size for w, gap in zip(first.weights, gaps, strict=True)])
    low, high = percentile_interval(first.means - second.means)
    return Difference(float(weighted.sum()), low, high, sign_flip_test(weighted))
