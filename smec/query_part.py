"""Some of the queries of an exact search, with the best documents that each has found so far."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smec.candidates import Floats, Rows, Selector
from smec.ranked_keys import Keys, keys_of, merge, scores_of

WAITING_PAIRS = 1 << 21
NUMBERS_AT_ONCE = 1 << 16
"""Numbers per operand of one exact scoring step: few enough for the cache, enough to make the calls worth while."""


class QueryPart:
    """The best `k` documents of q queries, among the tiles of documents that were taken in.

    Candidates wait with their documents, ranked by their approximate scores, until `settle` scores exactly those that
    were not outrun meanwhile.

    Attributes:
        exact: uint64 (q, k), keys of the documents found, in any order; complete after `settle`.
    """

    def __init__(self, queries: Floats, norms: Floats, excluded: Rows, k: int, selector: Selector) -> None:
        """Start with no documents.

        Args:
            queries: float32 (q, d).
            norms: float32 (q,), their lengths.
            excluded: int64 (q,), a row that each must not find, -1 for none.
            k: documents to find.
            selector: says where the products are made.
        """
        self._wide = queries.astype(np.float64)
        self._queries = selector.put(queries)
        self._norms = norms
        self._excluded = excluded
        self.exact: Keys = np.zeros((len(queries), k), dtype=np.uint64)
        self._approximate = self.exact.copy()
        self._floor = np.full(len(queries), -np.inf, dtype=np.float32)
        self._slack = np.zeros(len(queries), dtype=np.float32)
        self._waiting: list[_Candidates] = []
        self._fresh: list[tuple[Rows, Keys]] = []

    def take(self, documents: Floats, put: Any, first: int, error: float, selector: Selector) -> None:
        """Note the candidates among some documents.

        Args:
            documents: float32 (b, d).
            put: the same where the products are made.
            first: their first row in the corpus.
            error: bound on the error of a score by the length of its query; never falls between calls.
            selector: finds the candidates.
        """
        self._slack = self._norms * np.float32(error)
        count, k = self.exact.shape
        step = max(1, selector.tile_scores // count)
        for start in range(0, len(documents), step):
            stop = min(start + step, len(documents))
            excluded = self._excluded_in(first + start, first + stop)
            floor = self._floor - 2 * self._slack
            found = selector.passing(self._queries, put[start:stop], k, floor, self._slack, excluded)
            self._note(_Candidates(documents[start:stop], first + start, *found))

    def settle(self) -> None:
        """Score the waiting candidates exactly and keep the best; forget their documents."""
        self._raise_floor()
        limit = self._floor - 2 * self._slack
        scored = [entry.scored(self._wide, limit) for entry in self._waiting]
        _merge_all(self.exact, scored)
        self._waiting.clear()

    def _excluded_in(self, first: int, stop: int) -> tuple[Rows, Rows]:
        (owner,) = np.nonzero((self._excluded >= first) & (self._excluded < stop))
        return owner, self._excluded[owner] - first

    def _note(self, found: "_Candidates") -> None:
        self._waiting.append(found)
        self._fresh.append((found.owner, keys_of(found.scores, found.column + found.first)))
        if sum(len(owner) for owner, _ in self._fresh) >= self.exact.size:
            self._raise_floor()
        if sum(len(entry.owner) for entry in self._waiting) >= WAITING_PAIRS:
            self.settle()

    def _raise_floor(self) -> None:
        """Set the floor to the k-th best approximate score so far."""
        if not self._fresh:
            return
        _merge_all(self._approximate, self._fresh)
        self._fresh.clear()
        self._floor = scores_of(self._approximate.min(axis=1))


@dataclass(frozen=True)
class _Candidates:
    """Pairs of `owner` and `column` with approximate `scores`, all (P,); `documents` start at row `first`."""

    documents: Floats
    first: int
    owner: Rows
    column: Rows
    scores: Floats

    def scored(self, queries: NDArray[np.float64], limit: Floats) -> tuple[Rows, Keys]:
        """Return owners and exact keys of those whose approximate score reaches the `limit` (q,) of their query."""
        keep = self.scores >= limit[self.owner]
        owner, column = self.owner[keep], self.column[keep]
        return owner, keys_of(_exact_scores(queries, self.documents, owner, column), column + self.first)


def _exact_scores(queries: NDArray[np.float64], documents: Floats, owner: Rows, column: Rows) -> Floats:
    """Return float32 (P,): for each pair the sum over d in a fixed order, because both operands are contiguous float64.

    The products of two float32 are exact in float64, so only the additions round.
    """
    dimensions = queries.shape[1]
    scores = np.empty(len(owner), dtype=np.float64)
    step = min(len(owner), max(1, NUMBERS_AT_ONCE // dimensions))
    narrow = np.empty((step, dimensions), dtype=np.float32)
    left, right = np.empty((2, step, dimensions), dtype=np.float64)
    for start in range(0, len(owner), step or 1):
        here = slice(0, min(step, len(owner) - start))
        pairs = slice(start, start + here.stop)
        np.take(queries, owner[pairs], axis=0, out=left[here], mode="clip")  # other modes copy `out`
        np.take(documents, column[pairs], axis=0, out=narrow[here], mode="clip")
        right[here] = narrow[here]
        np.einsum("pd,pd->p", left[here], right[here], out=scores[pairs])
    return scores.astype(np.float32)


def _merge_all(held: Keys, new: list[tuple[Rows, Keys]]) -> None:
    if not new:
        return
    owner = np.concatenate([owner for owner, _ in new])
    keys = np.concatenate([keys for _, keys in new])
    order = np.argsort(owner, kind="stable")
    merge(held, owner[order], keys[order])
