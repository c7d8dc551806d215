"""Hard negatives: the documents of the frozen space that are most similar to a query and not judged relevant."""

import numpy as np
from numpy.typing import NDArray

from smec.judgements import Judgements
from smec.search import Corpus, exact_topk

FIRST_RELEVANT = 64
"""Relevant documents that a first search reckons with; queries with more among their neighbours search deeper."""
GROWTH = 4
FOUND_AT_ONCE = 1 << 23
"""Neighbours that are held at once; with thousands of relevant documents, of a part of the queries."""

Rows = NDArray[np.int64]


def mine_hard_negatives(
    queries: NDArray[np.float32],
    corpus: Corpus,
    positives: Judgements,
    count: int,
    exclude_rows: Rows | None = None,
    block_rows: int = 16_384,
) -> Rows:
    """Return the hardest negatives of each query.

    As many neighbours are searched as it takes for `count` to remain after the relevant ones are taken out. False
    negatives that the judgements do not know stay in.

    Args:
        queries: float32 (n, M), unit length, rows as in `positives`.
        corpus: the frozen documents.
        positives: relevant documents of each query.
        count: H, negatives per query.
        exclude_rows: int64 (n,), a document that is never a negative of the query (itself), -1 for none.
        block_rows: documents scored at once.

    Returns:
        int64 (n, H), rows of the corpus, most similar first, -1 where a query has fewer.
    """
    mined = np.full((len(queries), count), -1, dtype=np.int64)
    most = int(positives.counts.max(initial=0))
    reckoned = min(most, FIRST_RELEVANT)
    pending = np.arange(len(queries) if count and len(corpus) else 0)
    while len(pending):
        depth = min(count + reckoned, len(corpus))
        for places in _parts(pending, depth):
            own = None if exclude_rows is None else exclude_rows[places]
            _, found = exact_topk(queries[places], corpus, depth, block_rows=block_rows, exclude_rows=own)
            mined[places] = _usable(found, positives.select(places), count)
        lacking = (mined[pending] < 0).any(axis=1) & (positives.counts[pending] > reckoned)
        pending, reckoned = pending[lacking], min(most, reckoned * GROWTH)
    return mined


def _parts(pending: Rows, depth: int) -> list[Rows]:
    size = max(1, FOUND_AT_ONCE // max(1, depth))
    return [pending[start : start + size] for start in range(0, len(pending), size)]


def _usable(found: Rows, positives: Judgements, count: int) -> Rows:
    """Return the first `count` of the rows `found` (n, k) that are not relevant, int64 (n, count), -1 for none."""
    usable = (found >= 0) & (positives.grades_of(found) <= 0)
    if positives.own is not None:
        usable &= found != positives.own[:, None]
    order = np.argsort(~usable, axis=1, kind="stable")[:, :count]
    chosen = np.where(np.take_along_axis(usable, order, 1), np.take_along_axis(found, order, 1), -1)
    padding = np.full((len(chosen), count - chosen.shape[1]), -1, dtype=np.int64)
    return np.concatenate([chosen, padding], axis=1)
