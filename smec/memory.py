"""S-XBM: a first-in-first-out memory of frozen backbone vectors that serves the hardest neighbours of a batch."""

import torch
from torch import Tensor, nn


class SelectiveMemory(nn.Module):
    """Selective cross-batch memory of frozen vectors (SMEC, S-XBM).

    Frozen vectors cannot go stale, so the memory may be long and search in it is exact. All state (content, write
    position, number of filled slots) is in buffers and therefore in every checkpoint. The order is explicit: callers
    take `nearest` before they `enqueue` the batch. An empty memory is a legal state: `nearest` returns no column.
    """

    features: Tensor
    position: Tensor
    filled: Tensor

    def __init__(self, size: int, width: int) -> None:
        """Make room for `size` vectors of `width` dimensions."""
        super().__init__()
        if size < 1:
            raise ValueError(f"a memory of {size} vectors cannot hold anything")
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def reset(self) -> None:
        """Forget everything, as at the start of a stage."""
        self.position.zero_()
        self.filled.zero_()

    @torch.no_grad()
    def enqueue(self, batch: Tensor) -> None:
        """Write `batch`, float (B, width), over the oldest entries; of a batch above the size, the last rows stay."""
        size = len(self.features)
        batch = batch[-size:]
        start = int(self.position)
        head = min(len(batch), size - start)
        self.features[start : start + head] = batch[:head]
        self.features[: len(batch) - head] = batch[head:]
        self.position.fill_((start + len(batch)) % size)
        self.filled.fill_(min(size, int(self.filled) + len(batch)))

    @torch.no_grad()
    def nearest(self, batch: Tensor, neighbours: int) -> tuple[Tensor, Tensor, Tensor]:
        """Find the most similar stored vectors of each row of `batch`.

        Args:
            batch: float (B, width), unit length.
            neighbours: K, cut to the number of stored vectors.

        Returns:
            The distinct retrieved vectors, float (R, width); for each row of the batch and each neighbour its place
            among them, int64 (B, K); and the frozen cosines, float (B, K), largest first.
        """
        stored = self.features[: int(self.filled)]
        cosine, column = (batch @ stored.T).topk(min(neighbours, len(stored)), dim=1)
        distinct, place = torch.unique(column, return_inverse=True)
        return stored.index_select(0, distinct), place, cosine
