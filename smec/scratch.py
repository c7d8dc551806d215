"""Arrays that training reads again and again: in memory while they are small, else in a file without a name.

The file loses its name as soon as it is made. So nothing is left of it when the process ends, however it ends, and no
two jobs can meet in one. Its room on the disk is taken before a byte is written.
"""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from smec.errors import SmecError

MEGABYTE = 1e6


@dataclass(frozen=True)
class Room:
    """How much memory arrays that are held together may take, and where they lie when they need more.

    Attributes:
        memory_bytes: up to this size they lie in memory.
        folder: of the files beyond it; it is made when one is needed.
    """

    memory_bytes: float = math.inf
    folder: Path = Path()

    def folder_for(self, size: int) -> Path | None:
        """Return where arrays of `size` bytes in all are to lie; None means in memory."""
        return self.folder if size > self.memory_bytes else None


def stored(
    blocks: Iterable[NDArray[Any]], shape: tuple[int, int], dtype: DTypeLike, folder: Path | None
) -> NDArray[Any]:
    """Return blocks of rows as one array, in memory, or in a file without a name in `folder`.

    The array of a file is to be read in parts, and `smec.row_blocks.released` after each: what was read counts as
    memory of the process until then.

    Args:
        blocks: of (b, M), in the order of the rows; taken one at a time.
        shape: (n, M), of all of them.
        dtype: of the numbers.
        folder: where the file is made; None means memory.

    Raises:
        SmecError: the disk is full, or the folder cannot be written.
    """
    if folder is None or 0 in shape:
        return _filled(np.empty(shape, dtype), blocks)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            _reserve(file.fileno(), size)
            for block in blocks:
                _write(file.fileno(), np.ascontiguousarray(block, dtype))
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype).reshape(shape)
    except OSError as error:
        raise _explained(error, folder, size) from error


def _filled(array: NDArray[Any], blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    start = 0
    for block in blocks:
        array[start : start + len(block)] = block
        start += len(block)
    return array


def _reserve(file: int, size: int) -> None:
    """Give the file its size; where the system can, so that the disk cannot run full later."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


def _write(file: int, block: NDArray[Any]) -> None:
    """Write a block; a write to a map of a disk that is full would kill the process instead of telling."""
    content = block.data.cast("B")
    while content:
        content = content[os.write(file, content) :]


def _explained(error: OSError, folder: Path, size: int) -> SmecError:
    needed = f"{size / MEGABYTE:,.0f} MB of training vectors in {folder}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SmecError(
            f"The disk is full: there is no room for {needed}. Nothing was left behind. Free some space, name a larger "
            "disk in `training_vectors.folder`, or raise `training_vectors.memory_mb` so that they stay in memory."
        )
    return SmecError(
        f"There could be no file for {needed} ({error.strerror or error}). Check the folder and its permissions, or "
        "name another in `training_vectors.folder`."
    )
