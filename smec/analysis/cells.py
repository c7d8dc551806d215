"""The scores of a run at a size, alone or averaged over datasets, and the paired difference of two such.

Queries and seeds are crossed in every interval, see `smec.statistics.bootstrap_means`. Two cells of one dataset draw
the same queries and, where both have as many seeds, the same seeds: so the interval of their difference is paired.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.statistics import Interval, bootstrap_means, paired_differences, percentile_interval, sign_flip_test

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """The scores of one run at one size.

    Attributes:
        values: float64 (S, n) per dataset, seeds and query ids ascending.
        means: float64 (resamples,), bootstrap means, averaged over the datasets.
    """

    values: tuple[Values, ...]
    means: Values

    @property
    def mean(self) -> float:
        """Mean over seeds and queries; each dataset weighs the same."""
        return float(np.mean([values.mean() for values in self.values]))

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
    return Cell((values,), bootstrap_means(values, seed=zlib.crc32(place.encode())))


def averaged(cells: Sequence[Cell]) -> Cell:
    """Return the mean over datasets of one run at one size."""
    return Cell(tuple(values for one in cells for values in one.values), np.mean([one.means for one in cells], axis=0))


def difference(first: Cell, second: Cell) -> Difference:
    """Return `first` minus `second`, paired by query; the test takes the mean over seeds per query first.

    Raises:
        SmecError: the two are of different datasets or different numbers of queries.
    """
    if len(first.values) != len(second.values):
        raise SmecError(f"One run was scored on {len(first.values)} datasets and the other on {len(second.values)}.")
    gaps = [paired_differences(a, b) for a, b in zip(first.values, second.values, strict=True)]
    weighted = np.concatenate([gap / (gap.size * len(gaps)) for gap in gaps])
    low, high = percentile_interval(first.means - second.means)
    return Difference(float(weighted.sum()), low, high, sign_flip_test(weighted))
