"""Images as batches of tensors, read and decoded in worker processes while the model works on earlier ones."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image as Pillow
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from smec.datasets.images import Image
from smec.errors import SmecError

Transform = Callable[[Pillow.Image], Tensor]
MOST_WORKERS = 8
LOST_WORKER = "DataLoader worker (pid"
"""What PyTorch says of a process that ended before its work."""


def default_workers(device: str) -> int:
    """Return how many processes decode: one per core up to 8 for a GPU, one beside a model on the CPU."""
    cores = len(os.sched_getaffinity(0))
    return min(MOST_WORKERS, cores) if device == "cuda" else min(1, cores - 1)


def image_batches(
    images: Sequence[Image], transform: Transform, batch_size: int, workers: int, pinned: bool = False
) -> Iterator[Tensor]:
    """Yield batches of transformed images, in their order; a few batches are in memory at once.

    Args:
        images: of a dataset.
        transform: from a decoded image to a tensor, as the model wants it.
        batch_size: images of a batch; the last one may be smaller.
        workers: processes that read and decode; 0 means this one.
        pinned: put the batches where a GPU can fetch them by itself.

    Yields:
        float32 (at most batch_size, channels, height, width).

    Raises:
        SmecError: an image is missing, has changed or cannot be decoded, and is named; or a process was killed.
    """
    loader = DataLoader(
        _Decoded(images, transform),
        batch_size=batch_size,
        num_workers=min(workers, -(-len(images) // batch_size)),
        collate_fn=_collated,
        pin_memory=pinned,
    )
    with lost_workers_told():
        for batch, fault in loader:
            if fault is not None:
                raise SmecError(fault)
            yield batch


@contextlib.contextmanager
def lost_workers_told() -> Iterator[None]:
    """Tell in words when a process that decodes was killed.

    PyTorch raises that in a handler of signals, so it may come while batches are used as well as while they are made.

    Raises:
        SmecError: a process was killed.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith(LOST_WORKER):
            raise
        raise SmecError(
            "A process that decodes images was killed. The memory of the machine or of the job may be full: set a "
            "lower `workers` or `batch_size` for the backbone, or ask for more memory. In a container it may be "
            "/dev/shm: start it with a larger --shm-size, or set `workers: 0`."
        ) from error


class _Decoded(Dataset[tuple[Tensor | None, str | None]]):
    """Gives an image or, in words, why there is none: an exception would bring the worker's traceback with it."""

    def __init__(self, images: Sequence[Image], transform: Transform) -> None:
        self._images = images
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, place: int) -> tuple[Tensor | None, str | None]:
        image = self._images[place]
        try:
            content = image.read()
        except SmecError as error:
            return None, str(error)
        try:
            with Pillow.open(io.BytesIO(content)) as opened:
                return self._transform(opened), None
        # Pillow's decoders raise anything, from OSError to SyntaxError and struct.error.
        except Exception as error:
            return None, (
                f"The image {image.path or image.name} cannot be decoded ({' '.join(str(error).split())}). Replace or "
                "remove it and prepare the dataset again."
            )


def _collated(items: Sequence[tuple[Tensor | None, str | None]]) -> tuple[Tensor, str | None]:
    fault = next((fault for _, fault in items if fault is not None), None)
    decoded = [tensor for tensor, _ in items if tensor is not None]
    return torch.stack(decoded) if decoded else torch.empty(0), fault
