"""Exact nearest neighbours by inner product, block by block over a corpus of any size.

The result, scores and rows, is the same to the last bit whatever the block size, the shard borders, the number of
queries asked at once and the device. A matrix product alone cannot promise that: the sum that makes one of its elements
depends on the shape of the operands. So the product only selects. Every document whose approximate score lies within
the rounding bound of the k-th best is a candidate (`smec.candidates`), the candidates are scored again by a sum whose
order is fixed, in float64, rounded to float32, and these scores decide.

Ties are broken as by trec_eval, by document id descending: rows are in the order of the ids, so the higher row comes
first.
"""

import operator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.candidates import Floats, Rows, Selector, selector
from smec.errors import SmecError
from smec.query_part import QueryPart
from smec.query_workers import QueryWorkers, blas_threads, cut
from smec.ranked_keys import MOST_ROWS, rows_of, scores_of

BLOCK_ROWS = 16_384
WAITING_BYTES = 1 << 28
"""Blocks whose candidates wait to be scored exactly are kept up to this size (256 MiB)."""
BLOCKS_AHEAD = 1
"""Blocks that may be read while the threads are still at an earlier one."""
ROUNDINGS = 1.05
"""An inner product of d float32 terms, summed in any order, is off by at most d u |q| |c| (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1); a few roundings more cover norms, thresholds and the exact score."""


class Corpus(Protocol):
    """Vectors that are read by slice: an array, an embedding store, a compressed view of one.

    A block must keep its content after the next one was read: candidates wait in it.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return the vectors (b - a, d) of the rows `a:b`."""
        ...


def exact_topk(
    queries: NDArray[Any],
    corpus: Corpus,
    k: int,
    block_rows: int = BLOCK_ROWS,
    exclude_rows: Rows | None = None,
    device: str | None = None,
) -> tuple[Floats, Rows]:
    """Return the `k` documents with the largest inner product with each query, best first.

    Args:
        queries: (n, d); taken as float32.
        corpus: N vectors of d dimensions; taken as float32, read once and in order.
        k: documents per query; with fewer in the corpus the rest is padded.
        block_rows: documents scored at once; bounds the memory, the result does not depend on it.
        exclude_rows: int64 (n,), one document that must not be found per query (itself), -1 for none.
        device: a torch device such as `cuda` for the products; None means numpy on the CPU.

    Returns:
        scores, float32 (n, k), and rows, int64 (n, k), ordered by score and then by row, both descending; padding is
        -inf and -1.

    Raises:
        SmecError: an argument is out of range, the dimensions disagree, or a vector is not finite.
    """
    wanted, rows_at_once = _positive(k, "k"), _positive(block_rows, "block_rows")
    asked = _matrix(queries, "queries")
    total = len(corpus)
    with RunningTopK(asked, min(wanted, total), exclude_rows, device) as running:
        for first in range(0, total, rows_at_once):
            running.add(first, corpus[first : min(first + rows_at_once, total)])
        return running.result(wanted)


class RunningTopK:
    """The best `k` documents of the blocks that were added so far; a context that holds threads.

    The queries are dealt to as many threads as the BLAS may use. Each makes its own products on one core and compares
    them while they are in its cache, and none waits for another: that leaves no serial part, and the next block is read
    meanwhile. With one thread all is done by the caller.
    """

    def __init__(self, queries: Floats, k: int, exclude_rows: Rows | None = None, device: str | None = None) -> None:
        """Start with no documents; `queries` is float32 (n, d), the other arguments are those of `exact_topk`."""
        self._dimensions = queries.shape[1]
        self._k = k
        self._selector = selector(device)
        workers = blas_threads() if device is None else 1
        bounds = cut(len(queries), self._selector.most_queries, workers)
        norms, excluded = _norms(queries, "queries", 0), _checked_exclusions(exclude_rows, len(queries))
        self._parts = [QueryPart(queries[a:b], norms[a:b], excluded[a:b], k, self._selector) for a, b in bounds]
        self._workers = QueryWorkers(self._parts, [selector(device) for _ in range(min(workers, len(bounds)))])
        self._longest = 0.0
        self._waiting_bytes = 0

    def __enter__(self) -> "RunningTopK":
        self._workers.__enter__()
        return self

    def __exit__(self, *fault: object) -> None:
        self._workers.__exit__(*fault)

    def add(self, first: int, block: NDArray[Any]) -> None:
        """Take in the documents `block` (b, d), whose rows in the corpus start at `first`.

        Raises:
            SmecError: the block has another number of dimensions or a value that is not finite.
        """
        documents = self._checked(block, first)
        if 0 in (self._k, len(self._parts), len(documents)):
            return
        self._longest = max(self._longest, float(_norms(documents, "corpus", first).max()))
        self._waiting_bytes += documents.nbytes
        full = self._waiting_bytes >= WAITING_BYTES
        error = self._longest * self._selector.unit * ROUNDINGS * (self._dimensions + 16)
        put = self._selector.put(documents)

        def take(part: QueryPart, by: Selector) -> None:
            part.take(documents, put, first, error, by)
            if full:
                part.settle()

        self._workers.do(take, BLOCKS_AHEAD)
        if full:
            self._waiting_bytes = 0

    def result(self, k: int) -> tuple[Floats, Rows]:
        """Return scores, float32 (n, k), and rows, int64 (n, k), best first, padded with -inf and -1."""
        self._workers.do(lambda part, _: part.settle(), 0)
        found = [part.exact for part in self._parts] or [np.zeros((0, self._k), dtype=np.uint64)]
        ordered = np.sort(np.concatenate(found), axis=1)[:, ::-1]
        keys = np.zeros((len(ordered), k), dtype=np.uint64)
        keys[:, : ordered.shape[1]] = ordered
        return scores_of(keys), rows_of(keys)

    def _checked(self, block: NDArray[Any], first: int) -> Floats:
        documents = _matrix(block, "corpus")
        if documents.shape[1] != self._dimensions:
            raise SmecError(
                f"The queries have {self._dimensions} dimensions and the corpus has {documents.shape[1]}: they come "
                "from different backbones or sizes. Compress or embed both in the same way."
            )
        if first + len(documents) > MOST_ROWS:
            raise SmecError(f"A corpus of more than {MOST_ROWS} vectors cannot be searched in one piece; split it.")
        return documents


def _positive(value: int, name: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise SmecError(f"{name} must be a whole number of at least 1, got {value!r}.")
    return number


def _matrix(vectors: NDArray[Any], what: str) -> Floats:
    if np.ndim(vectors) != 2 or np.shape(vectors)[1] == 0:
        raise SmecError(f"The {what} must be vectors in a table (n, d), got an array of shape {np.shape(vectors)}.")
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _norms(vectors: Floats, what: str, first: int) -> Floats:
    squares = np.einsum("nd,nd->n", vectors, vectors)
    bad = np.flatnonzero(~np.isfinite(squares))
    if len(bad):
        raise SmecError(
            f"Row {first + bad[0]} of the {what} has a value that is NaN, infinite or too large to be squared "
            f"({len(bad)} such rows among those read). Embed or train again what made it."
        )
    norms: Floats = np.sqrt(squares)
    return norms


def _checked_exclusions(rows: Rows | None, count: int) -> Rows:
    if rows is None:
        return np.full(count, -1, dtype=np.int64)
    excluded = np.asarray(rows)
    if excluded.shape != (count,) or not np.issubdtype(excluded.dtype, np.integer):
        raise SmecError(
            f"exclude_rows must be one whole number per query ({count},), -1 for none; got {excluded.dtype} "
            f"{excluded.shape}."
        )
    return excluded.astype(np.int64)
