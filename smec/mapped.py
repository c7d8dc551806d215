"""Memory maps whose pages leave the process with each read, so that a file of any size is read in little memory."""

from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray


def reopened(vectors: NDArray[Any]) -> NDArray[Any]:
    """Return a map of its own of a memory-mapped file, to be read once and dropped.

    The system counts every page that was read through a map as memory of the process until the map is closed. Through
    one map that stays open, a pass over a store of 60 GB looks like a process of 60 GB, and a cluster ends it.

    Args:
        vectors: what `numpy.load` with `mmap_mode` returns.
    """
    known = cast("np.memmap[Any, Any]", vectors)
    order: Literal["C", "F"] = "C" if known.flags.c_contiguous else "F"
    fresh: NDArray[Any] = np.memmap(str(known.filename), known.dtype, "r", known.offset, known.shape, order)
    return fresh
