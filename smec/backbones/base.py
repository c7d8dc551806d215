"""What a backbone is: something that turns rows of a prepared dataset into unit vectors."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smec.errors import SmecError
from smec.modality import Modality, mismatch
from smec.settings import Settings

LARGE = 2.0**60
"""Beyond this value, or below its inverse, a row is scaled before its length is taken."""


class BackboneSettings(Settings):
    """Settings that every kind of backbone has."""

    encodes: ClassVar[frozenset[Modality]] = frozenset({"text"})
    """What may be on a side of a dataset."""
    shared_by_jobs: ClassVar[bool] = True
    """Whether several jobs may encode parts of one store at once."""
    loads_model: ClassVar[bool] = True
    """Whether a model runs where the job does, so that a GPU is of use."""

    dim: int = Field(ge=1, description="Length of a vector; known before the backbone is loaded, checked when it is.")

    @abstractmethod
    def declared(self, role: str) -> dict[str, Any]:
        """Return the part of a store's key that these settings alone decide, for `role` (corpus or queries).

        It is known without loading a model, so that a later step can check a store of another machine.
        """

    def refusal(self, role: str, held: Modality) -> str | None:
        """Say why the backbone cannot take `held` in `role` of a dataset (see `mismatch`); None where it can."""
        return mismatch(role, held, self.encodes)

    def check(self) -> None:
        """Look whether what the backbone needs is on this machine and fits, without loading it.

        Raises:
            SmecError: names what is missing or differs.
        """

    @property
    def trained_on(self) -> str | None:
        """Key of the dataset that a step of the workflow trains the backbone on; None for a ready one."""
        return None

    def files(self) -> tuple[Path, ...]:
        """Return local files that must exist before the backbone is loaded; a step of the workflow may make them."""
        return ()

    def missing(self) -> str | None:
        """Say what loading will lack on this machine (a key, a model), and what to do; None where all is there.

        Nothing is loaded and no network is used, so that a plan of a whole workflow can ask.
        """
        return None


class RowEncoder(Protocol):
    """The vectors of one role of one dataset, computed or read a range of rows at a time."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (stop - start, dim): unit vectors of the rows `start:stop` of the parquet file."""
        ...


@runtime_checkable
class PaidRows(Protocol):
    """An encoder that has to know what it will be asked for, because it costs money."""

    def begin(self, store: Path, missing: Sequence[tuple[int, int]]) -> None:
        """Look, before the first row, at what is to be encoded for the store in a folder.

        Args:
            store: folder of the shards.
            missing: first row and the row after the last one, of each shard.

        Raises:
            SmecError: it would cost more than it may.
        """

    def end(self) -> None:
        """Take note that the store is whole."""


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
            SmecError: the dataset has not what the backbone needs (texts, images or vectors).
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
    lengths = _lengths(vectors)
    if not ((lengths > 1 / LARGE) & (lengths < LARGE)).all():
        vectors = _within_range(vectors)
        lengths = _lengths(vectors)
    divisors = np.where(lengths > 0, lengths, 1).astype(np.float32)
    units: NDArray[np.float32] = np.divide(vectors, divisors[:, None], dtype=np.float32)
    return units


def _lengths(vectors: NDArray[Any]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return lengths


def _within_range(vectors: NDArray[Any]) -> NDArray[Any]:
    """Return `vectors`, rows of extreme length scaled by powers of two, so exactly: squares must not overflow."""
    if vectors.dtype.kind != "f":
        return vectors
    peaks = np.maximum(vectors.max(axis=1), -vectors.min(axis=1)).astype(np.promote_types(vectors.dtype, np.float64))
    extreme = np.isfinite(peaks) & (peaks > 0) & ((peaks > LARGE) | (peaks < 1 / LARGE))
    if not extreme.any():
        return vectors
    scaled = vectors.astype(peaks.dtype)
    scaled[extreme] = np.ldexp(scaled[extreme], -np.frexp(peaks[extreme])[1][:, None])
    return scaled
