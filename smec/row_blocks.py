"""Reading large arrays by blocks of rows, so that no copy and no product of all of them is ever made.

What is summed over blocks is summed in the order of the rows, and blocks are the same whether an array lies in memory
or in a file: so results are the same, byte for byte. Arrays of one block, which is every data set of the default, give
what the formula without blocks gives.
"""

import mmap
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK_BYTES = 1 << 27
MOST_ROWS = 1 << 16


def rows_at_once(width: int, itemsize: int = 4) -> int:
    """Return how many rows of `width` numbers make a block: 128 MiB of them, but 65,536 at most."""
    return max(1, min(MOST_ROWS, BLOCK_BYTES // max(1, width * itemsize)))


def row_blocks(vectors: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield all rows of `vectors` (n, M), block by block; a block is to be used before the next is asked for."""
    count = rows_at_once(vectors.shape[1], vectors.itemsize)
    for start in range(0, len(vectors), count):
        yield vectors[start : start + count]
        released(vectors)


def taken(vectors: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """Yield the rows of `vectors` (n, M) that `rows`, int64 (k,), names, in that order and block by block."""
    count = rows_at_once(vectors.shape[1], vectors.itemsize)
    for start in range(0, len(rows), count):
        yield vectors[rows[start : start + count]]
        released(vectors)


def through(blocks: Iterable[Floats], weight: Floats) -> Iterator[Floats]:
    """Yield the outputs (b, d) of a map, float32 (d, M), for blocks of vectors (b, M)."""
    return (block @ weight.T for block in blocks)


def lies_in_file(vectors: NDArray[Any]) -> bool:
    """Say whether an array is a map of a file."""
    return _mapping(vectors) is not None


def released(vectors: NDArray[Any]) -> None:
    """Let go of the pages that were read of an array in a file: they stay in the file and are no memory any more."""
    mapping = _mapping(vectors)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def column_mean(blocks: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the mean row, float64 (d,), of blocks (b, d); of one block that of numpy. There must be a row."""
    total, count = np.float64(0), 0
    for block in blocks:
        total, count = total + block.sum(axis=0, dtype=np.float64), count + len(block)
    return np.asarray(total / count)


def column_variance(blocks: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the variance of each column, float64 (d,), of blocks (b, d); of one block that of numpy.

    Blocks are joined by the update of Chan, Golub and LeVeque (1983), so that each is seen once. There must be a row.
    """
    count, mean, spread = 0, np.float64(0), np.float64(0)
    for block in blocks:
        own = block.sum(axis=0, dtype=np.float64) / len(block)
        deviation = block - own
        squares = np.multiply(deviation, deviation, out=deviation).sum(axis=0)
        if not count:
            count, mean, spread = len(block), own, squares
            continue
        whole, apart = count + len(block), own - mean
        spread = spread + squares + np.square(apart) * (count * len(block) / whole)
        mean, count = mean + apart * (len(block) / whole), whole
    return np.asarray(spread / count)


def _mapping(vectors: NDArray[Any]) -> mmap.mmap | None:
    owner: Any = vectors
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    return owner if isinstance(owner, mmap.mmap) else None
