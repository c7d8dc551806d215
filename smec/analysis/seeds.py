"""Intervals of what is measured once per seed, where there are no queries to resample."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean over seeds and the two ends of its interval, NaN with fewer than two seeds."""

    value: float
    low: float
    high: float


def mean_over_seeds(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the mean and Student's interval.

    Three seeds make it wide, and rightly: a bootstrap of three values would give little more than their range, which
    covers the mean of all seeds three times in four.

    Args:
        values: one per seed.
        level: coverage.

    Raises:
        ValueError: there is no value.
    """
    from scipy.special import stdtrit

    given = np.asarray(values, dtype=np.float64)
    if given.size == 0:
        raise ValueError("no seed, no mean")
    mean = float(given.mean())
    if given.size < 2:
        return Estimate(mean, np.nan, np.nan)
    half = float(stdtrit(given.size - 1, (1 + level) / 2) * given.std(ddof=1) / np.sqrt(given.size))
    return Estimate(mean, mean - half, mean + half)


def ratio_over_seeds(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the geometric mean of ratios, one per seed, and its interval: that of the logarithms.

    So that the ratio of A to B and that of B to A say the same. NaN where a ratio is 0, infinite or NaN.

    Raises:
        ValueError: there is no value.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.size and not (np.isfinite(given).all() and (given > 0).all()):
        return Estimate(np.nan, np.nan, np.nan)
    return Estimate(*np.exp(mean_over_seeds(np.log(given).tolist(), level)).tolist())
