"""Cosines of compressed vectors at one or several sizes, by one matrix product for all of them.

Lengths are divided out of the product instead of the vectors: what is divided has a row per query and a column per
document, where the vectors and their gradients are several times as large.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST_SQUARED_LENGTH = 1e-24
"""Shorter vectors count as this long, so that the cosine of a zero vector is 0 and its gradient finite."""

Level = Tensor | int
"""A size: a float (d,) factor per output dimension, or how many of the first dimensions count."""


def cosines(queries: Tensor, documents: Tensor) -> Tensor:
    """Return the cosine of each query (B, d) with each document (U, d): float (B, U)."""
    lengths = _inverse_lengths(queries.square().sum(1)), _inverse_lengths(documents.square().sum(1))
    return queries @ documents.T * lengths[0].unsqueeze(1) * lengths[1]


def level_cosines(queries: Tensor, documents: Tensor, levels: Sequence[Level], place: Tensor | None = None) -> Tensor:
    """Return the cosines at each of L levels.

    Args:
        queries: float (B, d), outputs of any length.
        documents: float (U, d), outputs of any length.
        levels: what counts at each of them; gradients flow into factors too.
        place: int64 (B, K), the documents that are wanted of each query; None for all.

    Returns:
        float (L, B, U), or (L, B, K) where `place` is given.
    """
    if place is not None:
        return _at_places(queries, documents, _squared_factors(levels, queries), place)
    prefixes = [level for level in levels if isinstance(level, int)]
    products, squared_queries, squared_documents = (
        _of_prefixes(queries, documents, prefixes)
        if len(prefixes) == len(levels)
        else _of_factors(queries, documents, _squared_factors(levels, queries))
    )
    scale = _inverse_lengths(squared_documents).unsqueeze(1)
    return products * _inverse_lengths(squared_queries).unsqueeze(2) * scale


def _inverse_lengths(squared: Tensor) -> Tensor:
    return squared.clamp_min(SMALLEST_SQUARED_LENGTH).rsqrt()


def _squared_factors(levels: Sequence[Level], outputs: Tensor) -> Tensor:
    """Return float (L, d): what a product of two outputs is multiplied with in each dimension."""
    width = outputs.shape[1]
    rows = [
        (torch.arange(width, device=outputs.device) < level).to(outputs.dtype) if isinstance(level, int) else level
        for level in levels
    ]
    return torch.stack(rows).square()


def _at_places(queries: Tensor, documents: Tensor, factors: Tensor, place: Tensor) -> Tensor:
    """Return cosines (L, B, K) under `factors` (L, d) of each query with the documents at `place` (B, K) alone.

    A product with all documents would compute hundreds of times what is wanted.
    """
    wanted = documents.index_select(0, place.flatten()).view(*place.shape, -1)  # (B, K, d)
    products = torch.bmm((queries * factors.unsqueeze(1)).transpose(0, 1), wanted.transpose(1, 2)).transpose(0, 1)
    lengths = _inverse_lengths(factors @ documents.square().T)[:, place]
    return products * _inverse_lengths(factors @ queries.square().T).unsqueeze(2) * lengths


def _of_factors(queries: Tensor, documents: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return inner products (L, B, U) and squared lengths (L, B) and (L, U) under `factors` (L, d)."""
    weighted = (queries * factors.unsqueeze(1)).flatten(0, 1)  # (L * B, d)
    products = (weighted @ documents.T).view(len(factors), len(queries), len(documents))
    return products, factors @ queries.square().T, factors @ documents.square().T


def _of_prefixes(queries: Tensor, documents: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same for the first m dimensions of each size m; the sizes share the products of shorter prefixes."""
    sums: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    start = 0
    for stop in sorted(set(sizes)):
        left, right = queries[:, start:stop], documents[:, start:stop]
        products, squares = left @ right.T, (left.square().sum(1), right.square().sum(1))
        if sums:
            before = sums[start]
            products, squares = products + before[0], (squares[0] + before[1], squares[1] + before[2])
        sums[stop] = (products, *squares)
        start = stop
    by_size = [sums[size] for size in sizes]
    return (
        torch.stack([entry[0] for entry in by_size]),
        torch.stack([entry[1] for entry in by_size]),
        torch.stack([entry[2] for entry in by_size]),
    )
