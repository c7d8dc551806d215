"""Search in codes instead of vectors: inner products with what a code stands for, Hamming distances, rescoring.

Ties are broken as in `smec.search`, the higher row first, in all of it.

Scores of float16 and int8 come from `exact_topk` over decoded blocks and not from `IndexScalarQuantizer.search`, which
finds the same documents but sums in an order that depends on the processor and leaves ties open. Hamming distances are
whole numbers, so there `IndexBinaryFlat` can be exact: it keeps the vector that was added first among equals, and the
documents are added last row first. FAISS does not promise this order; a test holds it to it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smec.analysis.quantisation import Codec, Codes, Floats
from smec.ranked_keys import keys_of, rows_of
from smec.search import Corpus

Rows = NDArray[np.int64]

NUMBERS_AT_ONCE = 1 << 18
"""Numbers of the candidates that are rescored at once (2 MiB as float64, which fits a cache)."""


class DecodedCorpus:
    """A corpus as a codec gives it back: `view[a:b]` are the vectors of those rows after writing and reading."""

    def __init__(self, corpus: Corpus, codec: Codec) -> None:
        """View `corpus`, float32 vectors of the dimensions of `codec`."""
        self._corpus = corpus
        self._codec = codec

    def __len__(self) -> int:
        return len(self._corpus)

    def __getitem__(self, rows: slice, /) -> Floats:
        """Return float32 (b - a, d)."""
        return self._codec.decode(self._codec.encode(self._corpus[rows]))


def hamming_topk(queries: Codes, documents: Codes, k: int, exclude_rows: Rows | None = None) -> Rows:
    """Return the `k` documents with the fewest bits different from each query, nearest first.

    Args:
        queries: uint8 (n, b), packed bits.
        documents: uint8 (N, b).
        k: documents per query.
        exclude_rows: int64 (n,), a document that each query must not find, -1 for none.

    Returns:
        rows, int64 (n, k), by distance ascending and then by row descending; -1 where there are fewer documents.
    """
    import faiss

    total = len(documents)
    index = faiss.IndexBinaryFlat(8 * documents.shape[1])
    index.add(np.ascontiguousarray(documents[::-1]))
    wanted = min(total, k if exclude_rows is None else k + 1)
    found = total - 1 - index.search(np.ascontiguousarray(queries), wanted)[1].astype(np.int64)
    if exclude_rows is not None:
        others = np.argsort(found == exclude_rows[:, None], axis=1, kind="stable")  # the excluded one goes last
        found = np.take_along_axis(np.where(found == exclude_rows[:, None], -1, found), others, axis=1)
    ranked = np.full((len(queries), k), -1, dtype=np.int64)
    kept = min(k, wanted)
    ranked[:, :kept] = found[:, :kept]
    return ranked


def rescored(queries: Floats, candidates: Rows, vectors: Callable[[Rows], Floats]) -> Rows:
    """Return the candidates of each query in the order of their inner products with it.

    Scores are summed in float64 and rounded to float32, as in `smec.search`.

    Args:
        queries: float32 (n, d).
        candidates: int64 (n, k), rows of documents, -1 for none.
        vectors: gives the vectors, float32 (m, d), of document rows, int64 (m,).

    Returns:
        rows, int64 (n, k), by score and then by row, both descending; -1 stays last.
    """
    count, k = candidates.shape
    step = max(1, NUMBERS_AT_ONCE // max(1, k * queries.shape[1]))
    keys = np.zeros((count, k), dtype=np.uint64)
    for start in range(0, count, step):
        some = candidates[start : start + step]
        distinct, place = np.unique(np.maximum(some, 0), return_inverse=True)
        of_candidates = vectors(distinct).astype(np.float64)[place.reshape(some.shape)]
        asked = queries[start : start + step].astype(np.float64)
        scores = np.einsum("nd,nkd->nk", asked, of_candidates).astype(np.float32)
        keys[start : start + step] = np.where(some >= 0, keys_of(scores, np.maximum(some, 0)), 0)
    return rows_of(np.sort(keys, axis=1)[:, ::-1])
