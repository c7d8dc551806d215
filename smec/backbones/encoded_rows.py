"""Rows of a dataset, images or text, as one backbone encodes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.backbones.text_rows import TextRows
from smec.datasets import reading

if TYPE_CHECKING:
    from torch import Tensor

    from smec.image_batches import Transform


class BatchSettings(Protocol):
    """What is needed of a backbone's settings here."""

    @property
    def batch_size(self) -> int:
        """Images of a forward pass."""
        ...


class TwoSidedBackbone(Protocol):
    """A loaded model that encodes images and text."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def settings(self) -> BatchSettings:
        """How it is used."""
        ...

    @property
    def transform(self) -> "Transform":
        """From a decoded image to float32 (3, height, width)."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        ...

    @property
    def workers(self) -> int:
        """Processes that decode images."""
        ...

    def encode_images(self, batches: "Iterator[Tensor]") -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the images of all batches, in their order."""
        ...

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order."""
        ...


@dataclass(frozen=True)
class ImageRows:
    """Encodes ranges of rows of one role that holds images."""

    backbone: TwoSidedBackbone
    folder: Path
    role: str

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.backbone.dim

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (stop - start, dim): unit vectors of the images of the rows `start:stop`."""
        from smec.image_batches import image_batches

        backbone = self.backbone
        return backbone.encode_images(
            image_batches(
                reading.images(self.folder, self.role, start, stop),
                backbone.transform,
                backbone.settings.batch_size,
                backbone.workers,
                pinned=backbone.device == "cuda",
            )
        )


def encoded_rows(backbone: TwoSidedBackbone, folder: Path, role: str) -> ImageRows | TextRows:
    """Return the encoder of what the dataset in `folder` holds in that role.

    Raises:
        SmecError: it holds neither images nor texts.
    """
    if reading.modality(folder, role) == "image":
        return ImageRows(backbone, folder, role)
    return TextRows.of(backbone, folder, role)
