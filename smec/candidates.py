"""The fast half of exact search: which pairs of query and document may be among the best k, from a matrix product."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

LOWEST = np.finfo(np.float32).min
LARGEST_GROUP = 64
CROWDED = 2
"""A threshold that lets more than this many times k through per query, on average, is replaced by a tighter one."""
UNIT_ROUNDOFF = 2.0**-24
TF32_UNIT_ROUNDOFF = 2.0**-10


class Selector(Protocol):
    """Finds candidates among the documents of one tile; one selector serves one thread.

    Attributes:
        unit: the unit roundoff of its products.
        most_queries: how many queries to ask at once.
        tile_scores: how many scores to compute at once.
    """

    unit: float
    most_queries: int
    tile_scores: int

    def put(self, vectors: Floats) -> Any:
        """Return float32 vectors where the products are made."""
        ...

    def passing(
        self, queries: Any, tile: Any, k: int, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the pairs that may be among the best k of their query.

        Args:
            queries: (q, d), from `put`.
            tile: documents (t, d), rows of what `put` returned.
            k: documents wanted per query.
            floor: float32 (q,), no score below it can matter; -inf where nothing is known.
            slack: float32 (q,), bound on the error of a score.
            excluded: queries and documents of the tile that must not be paired.

        Returns:
            queries (P,), ascending; documents of the tile (P,); their approximate scores (P,).
        """
        ...


def selector(device: str | None) -> Selector:
    """Return a selector by numpy, or by torch where a device is named."""
    return NumpySelector() if device is None else TorchSelector(device)


def group_size(columns: int, k: int) -> int:
    """Return how many columns share a maximum, so that there are about 4 k maxima to take the k-th largest of."""
    return max(1, min(LARGEST_GROUP, columns // (4 * k)))


class NumpySelector:
    """Products by numpy's BLAS; the scores of a tile stay in the cache until they are compared."""

    unit = UNIT_ROUNDOFF
    most_queries = 512
    tile_scores = 1 << 22

    def __init__(self) -> None:
        self._scores: Floats = np.empty(0, dtype=np.float32)
        self._mask: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

    def put(self, vectors: Floats) -> Floats:
        """Return `vectors`."""
        return vectors

    def passing(
        self, queries: Any, tile: Any, k: int, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the candidates; see `Selector`."""
        scores, mask = self._buffers(len(queries), len(tile))
        np.matmul(queries, tile.T, out=scores)
        scores[excluded] = -np.inf
        floor = np.maximum(floor, LOWEST)
        found = None if (floor == LOWEST).any() else _at_least(scores, floor, mask)
        if found is None or len(found) > CROWDED * k * len(queries):
            if len(tile) >= k:
                floor = np.maximum(floor, _kth(scores, k) - 2 * slack)
            found = _at_least(scores, floor, mask)
        owner, column = np.divmod(found, mask.shape[1])
        return owner, column, scores.reshape(-1)[found]

    def _buffers(self, rows: int, columns: int) -> tuple[Floats, NDArray[np.bool_]]:
        needed = rows * columns
        if needed > self._scores.size:
            self._scores, self._mask = np.empty(needed, dtype=np.float32), np.empty(needed, dtype=np.bool_)
        return self._scores[:needed].reshape(rows, columns), self._mask[:needed].reshape(rows, columns)


class TorchSelector:
    """Products by torch on one device, for large corpora on a GPU; torch is imported when it is used."""

    most_queries = 4096
    tile_scores = 1 << 28

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = device
        full = torch.get_float32_matmul_precision() == "highest"
        self.unit = UNIT_ROUNDOFF if full else TF32_UNIT_ROUNDOFF

    def put(self, vectors: Floats) -> Any:
        """Return `vectors` as a tensor on the device."""
        return self._torch.tensor(vectors, device=self._device)

    def passing(
        self, queries: Any, tile: Any, k: int, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the candidates; see `Selector`."""
        torch = self._torch
        scores = queries @ tile.T
        scores[self.put(excluded[0]), self.put(excluded[1])] = -torch.inf  # type: ignore[arg-type]
        bound = self.put(np.maximum(floor, LOWEST))
        if len(tile) >= k:
            bound = torch.maximum(bound, self._kth(scores, k) - 2 * self.put(slack))
        owner, column = torch.nonzero(scores >= bound[:, None], as_tuple=True)
        found = scores[owner, column]
        return owner.cpu().numpy(), column.cpu().numpy(), found.cpu().numpy()

    def _kth(self, scores: Any, k: int) -> Any:
        size = group_size(scores.shape[1], k)
        groups = scores.shape[1] // size
        maxima = scores[:, : size * groups].reshape(len(scores), size, groups).amax(dim=1)
        return maxima.topk(k, dim=1, sorted=False).values.amin(dim=1)


def _at_least(scores: Floats, floor: Floats, mask: NDArray[np.bool_]) -> Rows:
    """Return the flat places of the scores that reach the floor of their query; `mask` is overwritten."""
    np.greater_equal(scores, floor[:, None], out=mask)
    return np.flatnonzero(mask)


def _kth(scores: Floats, k: int) -> Floats:
    """Return a lower bound of the k-th largest score per query: each maximum of a group is a score of its own."""
    size = group_size(scores.shape[1], k)
    groups = scores.shape[1] // size
    maxima = scores[:, : size * groups].reshape(len(scores), size, groups).max(axis=1)
    maxima.partition(groups - k, axis=1)
    kth: Floats = maxima[:, groups - k]
    return kth
