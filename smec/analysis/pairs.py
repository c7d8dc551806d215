"""Pairs of a query and a document whose similarity is looked at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smec.judgements import Judgements

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of vectors.

    Attributes:
        query_rows: int64 (m,), ascending.
        document_rows: int64 (m,).
    """

    query_rows: Rows
    document_rows: Rows

    def __len__(self) -> int:
        return len(self.query_rows)


def sample_pairs(relevant: Judgements, neighbours: Rows, most: int, seed: int = 0) -> Pairs:
    """Return each query with its relevant documents and with its nearest other ones; a sample where they are too many.

    These are the similarities that decide a ranking. Two vectors at random have one near zero, which ranks nothing and
    whose relative change is without bound.

    Args:
        relevant: judgements above grade 0; `query_rows` number the queries.
        neighbours: int64 (n, H), the nearest documents of each query that are not judged relevant, -1 for none; H = 0
            leaves the relevant ones alone.
        most: pairs to return at most.
        seed: of the sample.

    Returns:
        Distinct pairs, query by query.
    """
    relevant = relevant.expanded()
    owners = np.repeat(np.arange(len(relevant)), relevant.counts)
    found, column = np.nonzero(neighbours >= 0)
    queries = np.concatenate([owners, found])
    documents = np.concatenate([relevant.corpus_rows, neighbours[found, column]])
    pairs = np.unique(np.stack([queries, documents], axis=1), axis=0)
    if len(pairs) > most:
        pairs = pairs[np.sort(np.random.default_rng(seed).choice(len(pairs), size=most, replace=False))]
    return Pairs(relevant.query_rows[pairs[:, 0]], pairs[:, 1])
