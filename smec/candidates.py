"""The fast half of exact search: which pairs of query and document may be among the best k, from a matrix product."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

LOWEST = np.finfo(np.float32).min
LARGEST_GROUP = 64
CROWDED = 4
"""A threshold that lets more than this many times k through per query, on average, is replaced by a tighter one."""
UNIT_ROUNDOFF = 2.0**-24
TF32_UNIT_ROUNDOFF = 2.0**-10


class Selector(Protocol):
    """Finds candidates in one block of documents at a time.

    `unit` is the unit roundoff of its products.
    """

    unit: float

    def load(self, block: Floats) -> None:
        """Take the documents, float32 (b, d), for the next calls of `passing`."""
        ...

    def passing(
        self, part: slice, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the pairs that may be among the best k of their query.

        Args:
            part: which queries.
            floor: float32 (q,), no score below it can matter; -inf where nothing is known.
            slack: float32 (q,), bound on the error of a score.
            excluded: queries, counted from the start of `part`, and the columns that they must not find.

        Returns:
            queries (P,), counted from the start of `part`, ascending; columns of the block (P,); their approximate
            scores (P,).
        """
        ...


def selector(queries: Floats, k: int, device: str | None) -> Selector:
    """Return the selector for float32 (n, d) queries: numpy, or torch where a device is named."""
    return NumpySelector(queries, k) if device is None else TorchSelector(queries, k, device)


def group_size(columns: int, k: int) -> int:
    """Return how many columns share a maximum, so that there are about 4 k maxima to take the k-th largest of."""
    return max(1, min(LARGEST_GROUP, columns // (4 * k)))


class NumpySelector:
    """Products by numpy's BLAS."""

    unit = UNIT_ROUNDOFF

    def __init__(self, queries: Floats, k: int) -> None:
        self._queries = queries
        self._k = k
        self._scores: Floats = np.empty(0, dtype=np.float32)
        self._mask: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

    def load(self, block: Floats) -> None:
        """Take a block; see `Selector`."""
        self._block = block

    def passing(
        self, part: slice, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the candidates; see `Selector`."""
        queries = self._queries[part]
        scores, mask = self._buffers(len(queries), len(self._block))
        np.matmul(queries, self._block.T, out=scores)
        scores[excluded] = -np.inf
        floor = np.maximum(floor, LOWEST)
        crowded = bool((floor == LOWEST).any())
        if not crowded:
            np.greater_equal(scores, floor[:, None], out=mask)
            crowded = int(np.count_nonzero(mask)) > CROWDED * self._k * len(queries)
        if crowded and len(self._block) >= self._k:
            floor = np.maximum(floor, self._kth(scores) - 2 * slack)
        if crowded:
            np.greater_equal(scores, floor[:, None], out=mask)
        found = np.flatnonzero(mask)
        owner, column = np.divmod(found, mask.shape[1])
        return owner, column, scores.reshape(-1)[found]

    def _buffers(self, rows: int, columns: int) -> tuple[Floats, NDArray[np.bool_]]:
        needed = rows * columns
        if needed > self._scores.size:
            self._scores, self._mask = np.empty(needed, dtype=np.float32), np.empty(needed, dtype=np.bool_)
        return self._scores[:needed].reshape(rows, columns), self._mask[:needed].reshape(rows, columns)

    def _kth(self, scores: Floats) -> Floats:
        """Return a lower bound of the k-th largest score per query: each maximum of a group is a score of its own."""
        size = group_size(scores.shape[1], self._k)
        groups = scores.shape[1] // size
        maxima = scores[:, : size * groups].reshape(len(scores), size, groups).max(axis=1)
        at = groups - self._k
        maxima.partition(at, axis=1)
        kth: Floats = maxima[:, at]
        return kth


class TorchSelector:
    """Products by torch on one device, for large corpora on a GPU; torch is imported when it is used."""

    def __init__(self, queries: Floats, k: int, device: str) -> None:
        import torch

        self._torch = torch
        self._queries = torch.from_numpy(queries).to(device)
        self._k = k
        exact = torch.get_float32_matmul_precision() == "highest"
        self.unit = UNIT_ROUNDOFF if exact else TF32_UNIT_ROUNDOFF

    def load(self, block: Floats) -> None:
        """Take a block; see `Selector`."""
        self._block = self._torch.from_numpy(block).to(self._queries.device)

    def passing(
        self, part: slice, floor: Floats, slack: Floats, excluded: tuple[Rows, Rows]
    ) -> tuple[Rows, Rows, Floats]:
        """Return the candidates; see `Selector`."""
        torch = self._torch
        scores = self._queries[part] @ self._block.T
        scores[torch.from_numpy(excluded[0]), torch.from_numpy(excluded[1])] = -torch.inf
        bound = torch.from_numpy(np.maximum(floor, LOWEST)).to(scores.device)
        if len(self._block) >= self._k:
            bound = torch.maximum(bound, self._kth(scores) - 2 * torch.from_numpy(slack).to(scores.device))
        owner, column = torch.nonzero(scores >= bound[:, None], as_tuple=True)
        found = scores[owner, column]
        return owner.cpu().numpy(), column.cpu().numpy(), found.cpu().numpy()

    def _kth(self, scores: Any) -> Any:
        size = group_size(scores.shape[1], self._k)
        groups = scores.shape[1] // size
        maxima = scores[:, : size * groups].reshape(len(scores), size, groups).amax(dim=1)
        return maxima.topk(self._k, dim=1, sorted=False).values.amin(dim=1)
