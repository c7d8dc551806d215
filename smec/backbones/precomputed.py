"""No model: the vectors of a dataset of kind `arrays`, scaled to unit length and put in the order of the ids."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smec.backbones.base import BackboneSettings, check_dim, unit_rows
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import sha256_of_file
from smec.mapped import reopened
from smec.modality import Modality


class PrecomputedSettings(BackboneSettings):
    """The vectors that a dataset brings along."""

    encodes: ClassVar[frozenset[Modality]] = frozenset({"vectors"})
    loads_model: ClassVar[bool] = False
    kind: Literal["precomputed"] = Field(default="precomputed", description="Vectors of a dataset of kind `arrays`.")

    def declared(self, role: str) -> dict[str, Any]:
        """Return the kind alone: the vectors are part of the dataset."""
        return {"kind": self.kind}


@dataclass(frozen=True)
class PrecomputedBackbone:
    """Reads vectors instead of computing them."""

    settings: PrecomputedSettings
    identity: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def rows(self, folder: Path, role: str) -> "VectorRows":
        """Open the vector file of one role of the dataset in `folder`.

        Raises:
            SmecError: the dataset brings no vectors, or the file is not the one that was checked when it was prepared.
        """
        entry = reading.manifest(folder).get("vectors", {}).get(role)
        if entry is None:
            raise SmecError(
                f"The dataset {folder} brings no vectors, so the backbone 'precomputed' has nothing to read. Use a "
                "backbone that encodes texts, or a dataset of kind 'arrays'."
            )
        path = folder / entry["path"]
        if not path.exists():
            raise SmecError(f"The vector file {path} of the dataset {folder} is gone. Put it back, or prepare again.")
        if sha256_of_file(path) != entry["sha256"]:
            raise SmecError(
                f"The vector file {path} has changed since {folder} was prepared. Prepare the dataset again."
            )
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        check_dim(vectors.shape[1], self.settings, str(path))
        return VectorRows(vectors, folder, role)


@dataclass(frozen=True)
class VectorRows:
    """Ranges of rows of a memory-mapped vector file, in the order of the ids."""

    vectors: NDArray[Any]
    folder: Path
    role: str

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (stop - start, dim): unit vectors of the rows `start:stop` of the parquet file."""
        return unit_rows(reopened(self.vectors)[reading.source_rows(self.folder, self.role, start, stop)])


def load(settings: PrecomputedSettings) -> PrecomputedBackbone:
    """Return the backbone; the vector files are opened per dataset."""
    return PrecomputedBackbone(settings)
