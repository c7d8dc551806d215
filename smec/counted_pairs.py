"""Cosines of the pairs of a batch that a loss counts, as far as possible without those that it ignores.

A query that is set against its own negatives alone counts some dozens of a thousand documents: those that most queries
count are taken by one matrix product, the others of each query one by one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from smec.cosines import Level, level_cosines

SPARSE_SHARE = 1 / 16
"""Pairs one by one cost more than a product with all documents where they are a larger share of them than this."""


def counted_cosines(
    queries: Tensor, documents: Tensor, relevance: Tensor, levels: Sequence[Level]
) -> tuple[Tensor, Tensor]:
    """Return the cosines at each of L levels of the pairs that count, and their grades.

    Args:
        queries: float (B, d), outputs of any length.
        documents: float (U, d), outputs of any length.
        relevance: float (B, U), grades, below 0 where a pair is to be ignored.
        levels: what counts at each level, as in `level_cosines`.

    Returns:
        float (L, B, K) and (B, K) with K <= U; rows that count fewer than K are filled up with grades below 0.
    """
    counted = relevance >= 0
    shared = 2 * counted.sum(0) > len(counted)
    place, grades = _places(relevance, counted & ~shared)
    if place.shape[1] > SPARSE_SHARE * len(documents):
        return without_ignored(level_cosines(queries, documents, levels), relevance)
    columns = shared.nonzero().flatten()
    scores = level_cosines(queries, documents.index_select(0, columns), levels)
    shared_grades = relevance.index_select(1, columns)
    if place.shape[1] == 0:
        return scores, shared_grades
    own = level_cosines(queries, documents, levels, place)
    return torch.cat([own, scores], dim=2), torch.cat([grades, shared_grades], dim=1)


def without_ignored(scores: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out documents that a query ignores, as far as both stay tables.

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades, below 0 where a pair is to be ignored.

    Returns:
        Both, cut to the K documents that the query with the most of them does not ignore: (..., B, K) and (B, K). As
        they are where some query counts half of them or more: then cutting costs more than it saves.
    """
    counted = relevance >= 0
    if 2 * int(counted.sum(1).max()) >= relevance.shape[1]:
        return scores, relevance
    place, grades = _places(relevance, counted)
    return scores.gather(-1, place.expand(*scores.shape[:-2], -1, -1)), grades


def _places(relevance: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns that each row counts, int64 (B, K), in order, and their grades, float (B, K).

    A row with fewer than K of them is filled up with column 0 and the grade -1.
    """
    row, column = counted.nonzero(as_tuple=True)
    counts = counted.sum(1)
    before = counts.cumsum(0) - counts
    slot = torch.arange(len(row), device=row.device) - before[row]
    place = row.new_zeros(len(counted), int(counts.max()))
    grades = relevance.new_full(place.shape, -1.0)
    place[row, slot] = column
    grades[row, slot] = relevance[row, column]
    return place, grades
