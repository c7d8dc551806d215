"""Rows of a dataset as one backbone of texts encodes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smec.datasets import reading


class TextBackbone(Protocol):
    """What turns texts into vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order."""
        ...


@dataclass(frozen=True)
class TextRows:
    """Encodes ranges of rows of one role of a dataset; only their texts are read."""

    backbone: TextBackbone
    folder: Path
    role: str

    @classmethod
    def of(cls, backbone: TextBackbone, folder: Path, role: str) -> "TextRows":
        """Return the encoder of one role of the dataset in `folder`.

        Raises:
            SmecError: the role holds no texts.
        """
        reading.texts(folder, role, 0, 1)
        return cls(backbone, folder, role)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.backbone.dim

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (stop - start, dim): unit vectors of the texts of the rows `start:stop`."""
        return self.backbone.encode(reading.texts(self.folder, self.role, start, stop), self.role)
