"""What a backbone is: something that turns rows of a prepared dataset into unit vectors."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smec.errors import SmecError
from smec.settings import Settings


class BackboneSettings(Settings):
    """Settings that every kind of backbone has."""

    dim: int = Field(ge=1, description="Length of a vector; known before the backbone is loaded, checked when it is.")

    def declared(self, role: str) -> dict[str, Any]:
        """Return the part of a store's key that these settings alone decide, for `role` (corpus or queries).

        It is known without loading a model, so that a later step can check a store of another machine.
        """
        raise NotImplementedError


class RowEncoder(Protocol):
    """The vectors of one role of one dataset, computed or read a range of rows at a time."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (stop - start, dim): unit vectors of the rows `start:stop` of the parquet file."""
        ...


class Backbone(Protocol):
    """A loaded backbone; `identity` holds all that changes a vector besides the dataset, the role and the prompt."""

    @property
    def identity(self) -> dict[str, Any]:
        """Part of the store's key that is known once the backbone is loaded; JSON values only."""
        ...

    @property
    def details(self) -> dict[str, Any]:
        """Facts for the store's manifest that are not part of its key; JSON values only."""
        ...

    def rows(self, folder: Path, role: str) -> RowEncoder:
        """Return the encoder of one role of the dataset that is prepared in `folder`.

        Raises:
            SmecError: the dataset has not what the backbone needs (texts or vectors).
        """
        ...


def check_dim(found: int, settings: BackboneSettings, what: str) -> None:
    """Raise `SmecError` when `what` gives vectors of another length than the settings say."""
    if found != settings.dim:
        raise SmecError(
            f"{what} gives vectors of {found} dimensions, but the backbone says {settings.dim}. Set dim: {found}."
        )


def unit_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return float32 (n, dim): each row of `vectors` divided by its length; rows of zeros stay zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    units = vectors.astype(np.float32)
    units /= np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
    return units
