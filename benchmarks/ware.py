"""WARE of all dimensions against leaving one dimension out after another: `python -m benchmarks ware`.

The peer is the definition as one would write it: for each dimension, delete it from both sides of all pairs and take
scikit-learn's `paired_cosine_distances` anew. At 3584 dimensions that would take ten minutes and more, so there the
peer gets a small part of the dimensions, and the row says which part.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import paired_cosine_distances

from benchmarks.common import Comparison, compare, want_ratio, want_seconds
from smec.analysis.pairs import Pairs
from smec.analysis.ware import SMALLEST_SIMILARITY, ware

MOST_SECONDS = 5.0
MOST_RATIO = 0.1


def measure(toy: bool = False) -> list[Comparison]:
    """Compare at two widths, all dimensions of ours against all, then a part, of the peer's."""
    if toy:
        return want_ratio(_at(50, 12, 12, rounds=1), MOST_RATIO) + want_seconds(_at(50, 24, 2, rounds=1), MOST_SECONDS)
    wide = _at(10_000, 3584, 8, rounds=5)
    return want_ratio(_at(10_000, 384, 384, rounds=3), MOST_RATIO) + want_seconds(wide, MOST_SECONDS)


def _at(count: int, width: int, part: int, rounds: int) -> list[Comparison]:
    rng = np.random.default_rng(0)
    # A common direction, as embeddings have it, so that no similarity is near zero.
    queries, documents = (rng.standard_normal((rows, width), dtype=np.float32) + 0.5 for rows in (1000, 5000))
    pairs = Pairs(np.sort(rng.integers(0, 1000, count)), rng.integers(0, 5000, count))
    ours = (f"smec WARE, {count} pairs, all of D = {width}", lambda: ware(queries, documents, pairs).values())
    peer = f"scikit-learn cosines in a loop over {part} of the {width} dimensions"
    return compare(ours, [(peer, _loop(queries, documents, pairs, part))], rounds)


def _loop(
    queries: NDArray[np.float32], documents: NDArray[np.float32], pairs: Pairs, part: int
) -> Callable[[], NDArray[np.float64]]:
    def call() -> NDArray[np.float64]:
        left, right = queries[pairs.query_rows], documents[pairs.document_rows]
        whole = 1 - paired_cosine_distances(left, right)
        near = np.abs(whole) >= SMALLEST_SIMILARITY
        found = np.zeros(part)
        for dimension in range(part):
            without = 1 - paired_cosine_distances(np.delete(left, dimension, 1), np.delete(right, dimension, 1))
            found[dimension] = (np.abs(without - whole)[near] / np.abs(whole)[near]).mean()
        return found

    return call
