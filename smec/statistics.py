"""Uncertainty of per-query scores: a bootstrap interval over queries and seeds, a paired test, Holm's correction.

All functions are deterministic: the same input and seed give the same result.
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError

LEVEL = 0.95
RESAMPLES = 5000
FLIPS = 9999
EXACT_UP_TO = 13
"""Numbers of queries for which all 2^n sign patterns are fewer than `FLIPS`."""
FLIPS_AT_ONCE = 1000

Values = NDArray[np.float64]


class Interval(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def bootstrap_means(values: Values, resamples: int = RESAMPLES, seed: int = 0) -> Values:
    """Return the mean of each of `resamples` bootstrap samples, float64 (resamples,).

    Queries and seeds are crossed: a seed is one trained model that answers every query. So each sample draws n queries
    and, independently of them, S seeds, both with replacement, and takes the mean over the drawn rows and columns (the
    pigeonhole bootstrap; Owen, Annals of Applied Statistics 1(2), 2007). What all queries share, a model that came out
    well, thus widens the interval. With one seed it is the ordinary bootstrap over queries. Samples of equal n, number
    of resamples and seed draw the same queries.

    Args:
        values: float64 (S, n), a score per seed and query.
        resamples: number of samples.
        seed: of the draws.

    Raises:
        SmecError: there are no values, or one is NaN or infinite.
    """
    scores = _checked(values)
    seeds, queries = scores.shape
    per_seed = _query_counts(queries, resamples, seed) @ scores.T / queries  # (resamples, S)
    drawn = np.random.default_rng([seed, seeds]).integers(0, seeds, (resamples, seeds))
    means: Values = np.take_along_axis(per_seed, drawn, axis=1).mean(axis=1)
    return means


def bootstrap_interval(values: Values, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the percentile interval of the mean of `values`, float64 (S, n); see `bootstrap_means`.

    Raises:
        SmecError: there are no values, or one is NaN or infinite.
    """
    return percentile_interval(bootstrap_means(values, resamples, seed), level)


def percentile_interval(means: Values, level: float = LEVEL) -> Interval:
    """Return the central share `level` of bootstrap means, float64 (resamples,)."""
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def paired_differences(first: Values, second: Values) -> Values:
    """Return float64 (n,): per query, the mean over seeds of `first`, (S1, n), minus that of `second`, (S2, n).

    Raises:
        SmecError: the two are of different numbers of queries, or hold NaN.
    """
    left, right = _checked(first), _checked(second)
    if left.shape[1] != right.shape[1]:
        raise SmecError(
            f"A paired test needs the same queries: one method has {left.shape[1]} and the other {right.shape[1]}."
        )
    difference: Values = left.mean(axis=0) - right.mean(axis=0)
    return difference


def sign_flip_test(differences: Values, flips: int = FLIPS, seed: int = 0) -> float:
    """Return the two-sided p value of Fisher's randomisation test: each difference could as well have the other sign.

    The statistic is the sum. Up to 13 queries all sign patterns are counted; above, `flips` random ones and the
    observed one, so that p is never 0. Same test as `scipy.stats.permutation_test(permutation_type="samples")`,
    which takes 17 times as long.

    Args:
        differences: float64 (n,), one per query; scale them beforehand to weight the queries.
        flips: number of random sign patterns.
        seed: of the signs.
    """
    count = len(differences)
    least = abs(float(differences.sum())) - 1e-12 * float(np.abs(differences).sum())
    if count <= EXACT_UP_TO:
        patterns = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
        return float((np.abs((2.0 * patterns - 1.0) @ differences) >= least).mean())
    rng = np.random.default_rng(seed)
    reached = 1
    for start in range(0, flips, FLIPS_AT_ONCE):
        signs = rng.integers(0, 2, (min(FLIPS_AT_ONCE, flips - start), count), dtype=np.int8) * 2.0 - 1.0
        reached += int((np.abs(signs @ differences) >= least).sum())
    return reached / (flips + 1)


def paired_test(first: Values, second: Values, flips: int = FLIPS, seed: int = 0) -> float:
    """Return the two-sided p value that two methods, float64 (S1, n) and (S2, n), are equally good on these queries.

    Per query the mean over seeds is taken first: the queries are the sample.

    Raises:
        SmecError: the two are of different numbers of queries, or hold NaN.
    """
    return sign_flip_test(paired_differences(first, second), flips, seed)


def holm(p_values: Values) -> Values:
    """Return the p values (m,) adjusted for m tests at once (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


@functools.lru_cache(maxsize=1)
def _query_counts(queries: int, resamples: int, seed: int) -> Values:
    """Return how often each query is drawn in each sample, (resamples, queries)."""
    drawn = np.random.default_rng(seed).integers(0, queries, (resamples, queries))
    drawn += np.arange(resamples)[:, None] * queries
    counts = np.bincount(drawn.ravel(), minlength=resamples * queries)
    return counts.reshape(resamples, queries).astype(np.float64)


def _checked(values: Values) -> Values:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise SmecError(f"Statistics need a score per seed and query (S, n), got an array of shape {scores.shape}.")
    if not np.isfinite(scores).all():
        raise SmecError("A per-query score is NaN or infinite. Evaluate the run again.")
    return scores


def significantly_above(scores: Values, reference: Values, p: float = 0.05) -> bool:
    """Say whether per-query scores (n,) are above others of the same queries: one-sided paired t-test.

    False where the differences are fewer than two or all alike, which proves nothing.
    """
    from scipy.special import stdtr

    difference = scores - reference
    if len(difference) < 2 or (error := difference.std(ddof=1) / np.sqrt(len(difference))) == 0:
        return False
    return bool(stdtr(len(difference) - 1, -difference.mean() / error) < p)
