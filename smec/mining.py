"""Hard negatives: the documents of the frozen space that are most similar to a query and not judged relevant."""

import numpy as np
from numpy.typing import NDArray

from smec.judgements import Judgements
from smec.search import Corpus, exact_topk


def mine_hard_negatives(
    queries: NDArray[np.float32],
    corpus: Corpus,
    positives: Judgements,
    count: int,
    exclude_rows: NDArray[np.int64] | None = None,
    block_rows: int = 16_384,
) -> NDArray[np.int64]:
    """Return the hardest negatives of each query.

    Enough neighbours are searched that `count` remain after the relevant ones are taken out. False negatives that the
    judgements do not know stay in.

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
    most = int(np.diff(positives.offsets).max(initial=0))
    wanted = min(count + most, len(corpus))
    if count == 0 or wanted == 0:
        return np.full((len(queries), count), -1, dtype=np.int64)
    _, found = exact_topk(queries, corpus, wanted, block_rows=block_rows, exclude_rows=exclude_rows)
    owner = np.repeat(np.arange(len(positives)), np.diff(positives.offsets))
    relevant = owner * len(corpus) + positives.corpus_rows
    keys = np.arange(len(found))[:, None] * len(corpus) + found
    usable = (found >= 0) & ~np.isin(keys, relevant)
    order = np.argsort(~usable, axis=1, kind="stable")[:, :count]
    chosen = np.where(np.take_along_axis(usable, order, 1), np.take_along_axis(found, order, 1), -1)
    padding = np.full((len(chosen), count - chosen.shape[1]), -1, dtype=np.int64)
    return np.concatenate([chosen, padding], axis=1)
