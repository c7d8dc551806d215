"""What a cross-batch memory costs, and what it serves that a smaller one does not."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Rows = NDArray[np.int64]


def useful_neighbours(own: Rows, found: Rows) -> float:
    """Return how many different vectors, other than the vector itself, are among its neighbours; mean over vectors.

    A first-in-first-out memory that is longer than an epoch holds the same vector several times. The vector itself and
    repeats of another take places among the K neighbours and add nothing to the loss, or the same again.

    Args:
        own: int64 (B,), which vector is asked for.
        found: int64 (B, K), which vectors are its neighbours, equal numbers for equal vectors.

    Returns:
        A number from 0 to K.
    """
    ordered = np.sort(found, axis=1)
    first = np.diff(ordered, axis=1, prepend=ordered[:, :1] - 1) != 0
    return float((first & (ordered != own[:, None])).sum(axis=1).mean())


def vector_numbers(*vectors: NDArray[np.float32]) -> list[Rows]:
    """Return for each of several (n, d) a number per row, int64 (n,), equal where the rows are, to the last bit."""
    joined = np.ascontiguousarray(np.concatenate(vectors))
    whole = joined.view(np.dtype((np.void, joined.itemsize * joined.shape[1]))).ravel()
    numbers = np.unique(whole, return_inverse=True)[1]
    return np.split(numbers, np.cumsum([len(part) for part in vectors])[:-1])


def buffer_bytes(module: "nn.Module") -> int:
    """Return the exact size of all buffers of a module."""
    return sum(buffer.numel() * buffer.element_size() for buffer in module.buffers())


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the most memory that `call` held at once through PyTorch's allocators, above what was held before.

    On a CPU it is summed up from the allocations that the profiler sees; what an operator holds beside tensors, such as
    a sort's own scratch space, is not among them. On a GPU it is the allocator's own count.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else the profiler reports on itself in the log
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(0, int(np.cumsum([0, *(change for _, change in changes)]).max()))
