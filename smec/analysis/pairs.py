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
    owners, others = _not_relevant(relevant, neighbours)
    sizes = relevant.counts + np.bincount(owners, minlength=len(relevant))
    ends = np.cumsum(sizes)
    total = int(sizes.sum())
    few = total <= most
    drawn = np.arange(total) if few else np.sort(np.random.default_rng(seed).choice(total, size=most, replace=False))
    place = np.searchsorted(ends, drawn, side="right")
    return Pairs(relevant.query_rows[place], _documents_at(drawn, place, relevant, owners, others, ends - sizes))


def _not_relevant(relevant: Judgements, neighbours: Rows) -> tuple[Rows, Rows]:
    """Return the neighbours that are not judged relevant, each once: places of queries and rows, both int64 (k,)."""
    owners, column = np.nonzero((neighbours >= 0) & (relevant.grades_of(neighbours, -1.0) < 0))
    pairs = np.unique(np.stack([owners, neighbours[owners, column]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _documents_at(drawn: Rows, place: Rows, relevant: Judgements, owners: Rows, others: Rows, starts: Rows) -> Rows:
    """Return the documents of some of all pairs, which are numbered query by query and, within one, by document.

    Only these pairs are worked out: where judgements are by class, all of a class are the square of its size.

    Args:
        drawn: int64 (m,), numbers of pairs, ascending.
        place: int64 (m,), the place of the query of each.
        relevant: see `sample_pairs`.
        owners: int64 (k,), places of the queries of `others`, ascending.
        others: int64 (k,), documents that are not judged relevant, ascending within a query.
        starts: int64 (n,), the number of the first pair of each query.
    """
    first = np.searchsorted(owners, np.arange(len(relevant)))
    numbers = starts[owners] + np.arange(len(owners)) - first[owners] + _relevant_below(relevant, owners, others)
    passed = np.searchsorted(numbers, drawn)
    judged = relevant.starts[place] + drawn - starts[place] - (passed - first[place])
    judged += judged >= relevant.own_places[place]
    is_other = np.isin(drawn, numbers)
    documents = np.empty(len(drawn), dtype=np.int64)
    documents[is_other] = others[passed[is_other]]
    documents[~is_other] = relevant.corpus_rows[judged[~is_other]]
    return documents


def _relevant_below(relevant: Judgements, owners: Rows, others: Rows) -> Rows:
    """Return how many relevant documents of its query have a smaller row than each of `others`, int64 (k,)."""
    span = 1 + int(max(relevant.corpus_rows.max(initial=0), others.max(initial=0)))
    found = np.searchsorted(relevant.keys(span), relevant.runs[owners] * span + others)
    below: Rows = found - relevant.starts[owners] - (relevant.own_places[owners] < found)
    return below
