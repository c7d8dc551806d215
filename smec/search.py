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
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.candidates import Floats, Rows, Selector, selector
from smec.errors import SmecError
from smec.ranked_keys import MOST_ROWS, keys_of, merge, rows_of, scores_of

BLOCK_ROWS = 16_384
TILE_SCORES = 1 << 24
"""Scores held at once (64 MiB): queries are taken in parts of this many scores with the block."""
WAITING_BYTES = 1 << 28
"""Blocks whose candidates wait to be scored exactly are kept up to this size (256 MiB)."""
WAITING_PAIRS = 1 << 23
NUMBERS_AT_ONCE = 1 << 15
"""Numbers per operand of one exact scoring step: its temporaries stay in the second-level cache."""


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
    running = RunningTopK(asked, min(wanted, total), exclude_rows, device)
    for first in range(0, total, rows_at_once):
        running.add(first, corpus[first : min(first + rows_at_once, total)])
    return running.result(wanted)


class RunningTopK:
    """The best `k` documents of the blocks that were added so far.

    Candidates wait with their blocks, ranked by their approximate scores, and are scored exactly when enough blocks
    have come together: most of them have been outrun by then.
    """

    def __init__(self, queries: Floats, k: int, exclude_rows: Rows | None = None, device: str | None = None) -> None:
        """Start with no documents; `queries` is float32 (n, d), the other arguments are those of `exact_topk`."""
        self._queries = queries
        self._wide = queries.astype(np.float64)
        self._norms = _norms(queries, "queries", 0)
        self._excluded = _checked_exclusions(exclude_rows, len(queries))
        self._exact = np.zeros((len(queries), k), dtype=np.uint64)
        self._approximate = self._exact.copy()
        self._floor = np.full(len(queries), -np.inf, dtype=np.float32)
        self._longest = 0.0
        self._select: Selector = selector(queries, k, device)
        self._waiting: list[_Waiting] = []

    def add(self, first: int, block: NDArray[Any]) -> None:
        """Take in the documents `block` (b, d), whose rows in the corpus start at `first`.

        Raises:
            SmecError: the block has another number of dimensions or a value that is not finite.
        """
        documents = self._checked(block, first)
        count = len(self._queries)
        if 0 in (count, self._exact.shape[1], len(documents)):
            return
        self._longest = max(self._longest, float(_norms(documents, "corpus", first).max()))
        self._select.load(documents)
        step = max(1, TILE_SCORES // len(documents))
        for start in range(0, count, step):
            self._select_from(slice(start, min(start + step, count)), first, documents)
        blocks = {id(entry.documents): entry.documents.nbytes for entry in self._waiting}
        if sum(blocks.values()) >= WAITING_BYTES:
            self._score_waiting()

    def result(self, k: int) -> tuple[Floats, Rows]:
        """Return scores, float32 (n, k), and rows, int64 (n, k), best first, padded with -inf and -1."""
        self._score_waiting()
        ordered = np.sort(self._exact, axis=1)[:, ::-1]
        keys = np.zeros((len(ordered), k), dtype=np.uint64)
        keys[:, : ordered.shape[1]] = ordered
        return scores_of(keys), rows_of(keys)

    def _checked(self, block: NDArray[Any], first: int) -> Floats:
        documents = _matrix(block, "corpus")
        if documents.shape[1] != self._queries.shape[1]:
            raise SmecError(
                f"The queries have {self._queries.shape[1]} dimensions and the corpus has {documents.shape[1]}: they "
                "come from different backbones or sizes. Compress or embed both in the same way."
            )
        if first + len(documents) > MOST_ROWS:
            raise SmecError(f"A corpus of more than {MOST_ROWS} vectors cannot be searched in one piece; split it.")
        return documents

    def _select_from(self, part: slice, first: int, documents: Floats) -> None:
        excluded = self._excluded[part] - first
        (hidden,) = np.nonzero((excluded >= 0) & (excluded < len(documents)) & (self._excluded[part] >= 0))
        slack = self._slack(part)
        owner, column, scores = self._select.passing(
            part, self._floor[part] - 2 * slack, slack, (hidden, excluded[hidden])
        )
        merge(self._approximate[part], owner, keys_of(scores, column + first))
        self._floor[part] = scores_of(self._approximate[part].min(axis=1))
        self._waiting.append(_Waiting(documents, first, owner + part.start, column, scores))
        if sum(len(entry.owner) for entry in self._waiting) > WAITING_PAIRS:
            self._score_waiting()

    def _score_waiting(self) -> None:
        limit = self._floor - 2 * self._slack(slice(None))
        for entry in self._waiting:
            owner, column = entry.still_above(limit)
            scores = _rescored(self._wide, entry.documents, owner, column)
            merge(self._exact, owner, keys_of(scores, column + entry.first))
        self._waiting.clear()

    def _slack(self, part: slice) -> Floats:
        """Return float32 (q,), how far an approximate score of any document so far can be from the exact one.

        An inner product summed in any order is off by at most d u |q| |c| (Higham, Accuracy and Stability of Numerical
        Algorithms, section 3.1); a few units more cover the roundings of norms, thresholds and the exact score.
        """
        units = 1.05 * (self._queries.shape[1] + 16)
        return self._norms[part] * np.float32(units * self._select.unit * self._longest)


@dataclass(frozen=True)
class _Waiting:
    """Candidates of one block: `owner`, `column` and approximate `scores`, all (P,), owners ascending."""

    documents: Floats
    first: int
    owner: Rows
    column: Rows
    scores: Floats

    def still_above(self, limit: Floats) -> tuple[Rows, Rows]:
        keep = self.scores >= limit[self.owner]
        return self.owner[keep], self.column[keep]


def _rescored(queries: NDArray[np.float64], documents: Floats, owner: Rows, column: Rows) -> Floats:
    """Return float32 (P,): for each pair the sum over d in a fixed order, because both operands are contiguous float64.

    The products of two float32 are exact in float64, so only the additions round.
    """
    scores = np.empty(len(owner), dtype=np.float32)
    step = max(1, NUMBERS_AT_ONCE // queries.shape[1])
    for start in range(0, len(owner), step):
        pairs = slice(start, start + step)
        left, right = queries[owner[pairs]], documents[column[pairs]].astype(np.float64)
        scores[pairs] = np.einsum("pd,pd->p", left, right)
    return scores


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
