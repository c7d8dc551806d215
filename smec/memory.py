"""S-XBM: a first-in-first-out memory of frozen backbone vectors that serves the hardest neighbours of a batch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from smec.sides import QUERY


class Neighbours(NamedTuple):
    """The neighbours of each row of a batch.

    Attributes:
        vectors: float (R, width), the distinct neighbours.
        place: int64 (B, K), for each row of the batch and each of its neighbours the place among them.
        cosine: float (B, K), the frozen cosines, largest first.
        sides: int8 (R,), the side of each distinct neighbour.
    """

    vectors: Tensor
    place: Tensor
    cosine: Tensor
    sides: Tensor


class SelectiveMemory(nn.Module):
    """Selective cross-batch memory of frozen vectors (SMEC, S-XBM).

    Frozen vectors cannot go stale, so the memory may be long and search in it is exact. All state (content, write
    position, number of filled slots) is in buffers and therefore in every checkpoint. The order is explicit: callers
    take `nearest` before they `enqueue` the batch. An empty memory is a legal state: `nearest` returns no column.

    Vectors may be marked by their side (queries or documents), and neighbours then be those of the other side.
    """

    features: Tensor
    sides: Tensor
    position: Tensor
    filled: Tensor

    def __init__(self, size: int, width: int) -> None:
        """Make room for `size` vectors of `width` dimensions."""
        super().__init__()
        if size < 1:
            raise ValueError(f"a memory of {size} vectors cannot hold anything")
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("sides", torch.zeros(size, dtype=torch.int8))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def reset(self) -> None:
        """Forget everything, as at the start of a stage."""
        self.position.zero_()
        self.filled.zero_()

    @torch.no_grad()
    def enqueue(self, batch: Tensor, sides: Tensor | None = None) -> None:
        """Write a batch over the oldest entries; of a batch above the size, the last rows stay.

        Args:
            batch: float (B, width).
            sides: int8 (B,), the side of each row; None: all are queries.
        """
        size = len(self.features)
        batch = batch[-size:]
        sides = torch.full((len(batch),), QUERY, dtype=torch.int8) if sides is None else sides[-size:]
        start = int(self.position)
        head = min(len(batch), size - start)
        for stored, new in ((self.features, batch), (self.sides, sides)):
            stored[start : start + head] = new[:head]
            stored[: len(new) - head] = new[head:]
        self.position.fill_((start + len(batch)) % size)
        self.filled.fill_(min(size, int(self.filled) + len(batch)))

    @torch.no_grad()
    def nearest(self, batch: Tensor, neighbours: int, sides: Tensor | None = None) -> Neighbours:
        """Find the most similar stored vectors of each row of `batch`.

        Args:
            batch: float (B, width), unit length.
            neighbours: K, cut to the number of stored vectors that each row may have.
            sides: int8 (B,), the side of each row, which then only has neighbours of the other side; None: any.
        """
        stored = self.features[: int(self.filled)]
        scores = batch @ stored.T
        if sides is not None:
            neighbours = hide_own_side(scores, sides, self.sides[: len(stored)], neighbours)
        cosine, column = scores.topk(min(neighbours, len(stored)), dim=1)
        distinct, place = torch.unique(column, return_inverse=True)
        return Neighbours(stored.index_select(0, distinct), place, cosine, self.sides.index_select(0, distinct))


def hide_own_side(scores: Tensor, sides: Tensor, stored: Tensor, neighbours: int) -> int:
    """Set the scores (B, N) between rows of one side to -inf, in place, and return how many neighbours all rows have.

    Args:
        scores: float (B, N).
        sides: int8 (B,), the side of each row.
        stored: int8 (N,), the side of each column.
        neighbours: at most so many are returned.
    """
    own = sides[:, None] == stored[None, :]
    scores.masked_fill_(own, -torch.inf)
    return min(neighbours, int((~own).sum(dim=1).min()))
