"""WARE: how much the similarity of pairs depends on each dimension, and how much of what matters a selection keeps.

The paper ranks dimensions by `(1/M) Σ_m |ŷ_m - y_m| / |y_m|` over M pairs, y the similarity of a pair and ŷ the same
without one dimension, and calls the share of the N kept dimensions that are among the N of largest WARE the achievement
rate (SMEC, analysis of ADS against truncation).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smec.analysis.pairs import Pairs
from smec.errors import SmecError
from smec.statistics import Interval, percentile_interval

Without = Literal["renormalised", "dropped"]
"""What a similarity without dimension i is: the cosine of what is left of both vectors, `(y - q_i d_i) / (|q'| |d'|)`;
or the inner product of what is left of the two unit vectors, `y - q_i d_i`."""

SMALLEST_SIMILARITY = 0.01
"""|y| below which a pair is left out: its relative change says how near to zero y is, and nothing of the dimension."""

BLOCK_BYTES = 1 << 20
"""Size of the table of a block of pairs by dimensions; four of them are to fit into the cache of a core."""

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Ware:
    """WARE before the mean over pairs is taken, so that queries can be drawn anew without measuring anew.

    Attributes:
        sums: float64 (G, D), sum of the relative changes over the pairs of each of G queries.
        counts: int64 (G,), pairs of each that were taken in.
        left_out: pairs that were not, because |y| is too small.
    """

    sums: NDArray[np.float64]
    counts: Rows
    left_out: int

    def values(self) -> NDArray[np.float64]:
        """Return the WARE of each dimension, float64 (D,)."""
        mean: NDArray[np.float64] = self.sums.sum(axis=0) / self.counts.sum()
        return mean

    def resampled(self, resamples: int, seed: int = 0) -> NDArray[np.float64]:
        """Return the WARE of each dimension over queries drawn with replacement, float64 (resamples, D)."""
        groups = len(self.counts)
        drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
        totals = np.maximum(drawn @ self.counts, 1)
        means: NDArray[np.float64] = (drawn.astype(np.float64) @ self.sums) / totals[:, None]
        return means


def ware(
    queries: Floats,
    documents: Floats,
    pairs: Pairs,
    without: Without = "renormalised",
    smallest: float = SMALLEST_SIMILARITY,
) -> Ware:
    """Measure the WARE of every dimension at once.

    Leaving a dimension out needs no new similarity: with q·d, |q|² and |d|² at hand, each is a difference of two
    numbers. The pairs are worked off in blocks, so memory never holds a table of all pairs by all dimensions. A vector
    with nothing left has similarity 0 to all others.

    Args:
        queries: float (n, D), of any length above zero.
        documents: float (N, D).
        pairs: rows of the two.
        without: what the similarity without a dimension is.
        smallest: |y| below which a pair is left out and counted, above 0.

    Raises:
        SmecError: no pair is left, or the vectors have different numbers of dimensions.
    """
    if queries.shape[1] != documents.shape[1]:
        raise SmecError(
            f"The queries have {queries.shape[1]} dimensions and the documents {documents.shape[1]}, so they make no "
            "pairs. Take both from the same backbone."
        )
    starts = np.flatnonzero(np.diff(pairs.query_rows, prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(pairs)))
    sums, counts = np.zeros((len(starts), queries.shape[1])), np.zeros(len(starts), dtype=np.int64)
    rows = max(1, BLOCK_BYTES // (8 * queries.shape[1]))
    for first in range(0, len(pairs), rows):
        block = slice(first, first + rows)
        changes, kept = _relative_changes(
            _unit(queries[pairs.query_rows[block]]), _unit(documents[pairs.document_rows[block]]), without, smallest
        )
        owners = group[block][kept]
        if len(owners):
            borders = np.flatnonzero(np.diff(owners, prepend=-1))
            sums[owners[borders]] += np.add.reduceat(changes, borders, axis=0)
            counts += np.bincount(owners, minlength=len(counts))
    left_out = len(pairs) - int(counts.sum())
    if left_out == len(pairs):
        raise SmecError(
            f"None of the {len(pairs)} pairs has a similarity of at least {smallest:g} in size, so WARE is undefined. "
            "Take pairs that are similar, such as queries and their relevant documents, or lower the limit."
        )
    return Ware(sums, counts, left_out)


def ranks(values: NDArray[np.float64]) -> Rows:
    """Return the place of each dimension when the largest value comes first, int64 (..., D) of float64 (..., D).

    Places start at 0; where values tie, the lower dimension comes first.
    """
    order = np.argsort(-values, axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable").astype(np.int64)


def achievement_rate(places: Rows, kept: Rows) -> NDArray[np.float64]:
    """Return the share of the N kept dimensions that are among the N with the largest WARE, in [0, 1].

    Args:
        places: int64 (..., D), see `ranks`.
        kept: int64 (N,), distinct dimensions.

    Returns:
        float64 (...).
    """
    rates: NDArray[np.float64] = (places[..., kept] < len(kept)).mean(axis=-1)
    return rates


def achievement_interval(
    places: Sequence[Rows], drawn: Sequence[Rows], kept: Sequence[Rows], seed: int = 0
) -> Interval:
    """Return the 95 % interval of the mean achievement rate over seeds; queries and seeds are crossed.

    WARE over drawn queries is noisier than over all, so its top is further from any selection: the draws lie too low.
    They are moved to lie about the rate itself.

    Args:
        places: per seed, int64 (D,), ranks of WARE over all queries.
        drawn: per seed, int64 (B, D), the same over B draws of the queries (`Ware.resampled`), equal for all seeds.
        kept: per seed, int64 (N,).
        seed: of the draws of the seeds.
    """
    rates = np.stack([achievement_rate(one, chosen) for one, chosen in zip(drawn, kept, strict=True)], axis=1)
    bias = rates.mean(axis=0) - [achievement_rate(one, chosen) for one, chosen in zip(places, kept, strict=True)]
    seeds = np.random.default_rng(seed).integers(0, rates.shape[1], rates.shape)
    means = np.take_along_axis(rates - bias, seeds, axis=1).mean(axis=1)
    return percentile_interval(np.clip(means, 0.0, 1.0))


def _unit(vectors: Floats) -> NDArray[np.float64]:
    """Rows at unit length, in float64: the difference that a dimension makes is small; a zero row stays zero."""
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("md,md->m", exact, exact))[:, None]
    exact /= np.maximum(lengths, np.finfo(np.float64).tiny)
    return exact


def _relative_changes(
    queries: NDArray[np.float64], documents: NDArray[np.float64], without: Without, smallest: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """`|ŷ - y| / |y|` of the pairs that are taken in, (m', D), and which these are, (m,)."""
    similarity = np.einsum("md,md->m", queries, documents)
    kept = np.abs(similarity) >= smallest
    if not kept.all():
        queries, documents, similarity = queries[kept], documents[kept], similarity[kept]
    y = similarity[:, None]
    if without == "dropped":
        return np.abs(queries * documents) / np.abs(y), kept
    left = y - queries * documents
    np.square(queries, out=queries)
    np.square(documents, out=documents)
    np.subtract(1.0, queries, out=queries)
    np.subtract(1.0, documents, out=documents)
    queries *= documents
    nothing = queries <= np.finfo(np.float64).eps
    np.sqrt(np.maximum(queries, np.finfo(np.float64).tiny, out=queries), out=queries)
    left /= queries
    left[nothing] = 0.0
    left -= y
    np.abs(left, out=left)
    left /= np.abs(y)
    return left, kept
