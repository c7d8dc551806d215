"""Writing an embedding store shard by shard, so that a killed run goes on at the first shard that is not whole.

Beside each finished shard lies a small JSON file with the key, the size and the sha256. Shards are written under a
temporary name and renamed, so that several jobs can write different shards of one store. `finish` verifies all of them
and writes the manifest. Where several jobs share the work, each sums up its shards in a file of its own (`summed_up`),
and `smec.store_parts` makes the manifest of these: the store is the same, byte for byte, however many jobs wrote it.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.files import atomic_path, read_json, sha256_of_file, sha256_of_json, write_json
from smec.store import FORMAT, MANIFEST, EmbeddingStore, read_manifest

WRITE_BLOCK_BYTES = 1 << 24

logger = logging.getLogger(__name__)

StoreDtype = Literal["float32", "float16"]


@dataclass(frozen=True)
class StoreWriter:
    """A store of `rows` vectors in the making.

    Attributes:
        folder: where the shards go; made when the first one is written.
        key: everything that changes a vector; JSON values only.
        rows: number of vectors.
        dim: length of a vector.
        shard_rows: rows per shard; the last one may be shorter.
        dtype: how vectors are stored; they are read back as float32 in either case.
        code: hash of the code that makes the vectors; shards of other code are made anew.
        details: facts for the manifest that do not change a vector (versions of packages, say).
    """

    folder: Path
    key: Mapping[str, Any]
    rows: int
    dim: int
    shard_rows: int
    dtype: StoreDtype = "float32"
    code: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse sizes below 1."""
        if self.rows < 1 or self.dim < 1 or self.shard_rows < 1:
            raise SmecError(
                f"The store {self.folder} needs at least one row, one dimension and one row per shard, "
                f"got rows={self.rows}, dim={self.dim}, shard_rows={self.shard_rows}."
            )

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-self.rows // self.shard_rows)

    def bounds(self, shard: int) -> tuple[int, int]:
        """Return the first row of a shard and the row after its last one."""
        return shard * self.shard_rows, min(self.rows, (shard + 1) * self.shard_rows)

    def finished(self) -> bool:
        """Say whether the folder holds the whole store of this key; a damaged one is discarded with a warning."""
        if not (self.folder / MANIFEST).exists():
            return False
        try:
            manifest = read_manifest(self.folder)
            EmbeddingStore.open(self.folder, self._identity()["key"])
        except SmecError as error:
            logger.warning("%s The step starts anew.", error)
            self.discard_manifest()
            return False
        same = ("rows", "dim", "dtype", "code")
        if [manifest.get(name) for name in same] == [self._identity()[name] for name in same]:
            return True
        self.discard_manifest()
        return False

    def discard_manifest(self) -> None:
        """Make the store an unfinished one."""
        (self.folder / MANIFEST).unlink(missing_ok=True)

    def take_over(self, shards: Sequence[int]) -> None:
        """Keep `shards` of a finished store of the same key, layout and code, as if they had just been written."""
        try:
            manifest = read_manifest(self.folder)
        except SmecError:
            return
        if {name: manifest.get(name) for name in self._identity()} == self._identity():
            for shard in shards:
                self._note(shard, manifest["shards"][shard])

    def missing(self, shards: Sequence[int] | None = None) -> list[int]:
        """Return those of `shards` (None: all) that are still to be written; whole ones of this key are kept."""
        return [shard for shard in (range(len(self)) if shards is None else shards) if self._entry(shard) is None]

    def write(self, shard: int, vectors: NDArray[np.floating[Any]], ids: Sequence[str]) -> None:
        """Write one shard, atomically.

        Args:
            shard: its number.
            vectors: float (n, dim), the rows `bounds(shard)`.
            ids: n ids, to name the row at fault.

        Raises:
            SmecError: a vector has a value that is not finite or is all zeros, or the disk is full.
        """
        start, stop = self.bounds(shard)
        if vectors.shape != (stop - start, self.dim):
            raise ValueError(f"shard {shard} must have shape {(stop - start, self.dim)}, got {vectors.shape}")
        stored = np.ascontiguousarray(vectors, dtype=self.dtype)
        refuse_unusable_rows(stored, ids, f"the store {self.folder}")
        path = self._path(shard)
        self._sidecar(shard).unlink(missing_ok=True)
        for stale in self.folder.glob(f".{path.stem}.*"):
            stale.unlink(missing_ok=True)
        with atomic_path(path) as temporary:
            digest, size = _write_npy(temporary, stored)
        self._note(shard, {"file": path.name, "rows": stop - start, "bytes": size, "sha256": digest})

    def summed_up(self, shards: Sequence[int]) -> dict[str, Any]:
        """Return what `smec.store_parts` must know of finished shards; JSON values only.

        Raises:
            SmecError: a shard is missing or not whole.
        """
        return {"store": {**self._identity(), **self.details}, "shards": self._entries(shards)}

    def finish(self) -> None:
        """Write the manifest once every shard is whole, and remove what does not belong to the store.

        Raises:
            SmecError: a shard is missing or not whole.
        """
        told = self.summed_up(range(len(self)))
        write_manifest(self.folder, told["store"], told["shards"])

    def _identity(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "key": dict(self.key),
            "rows": self.rows,
            "dim": self.dim,
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
            "code": self.code,
        }

    def _entries(self, shards: Sequence[int]) -> list[dict[str, Any]]:
        found = {shard: self._entry(shard) for shard in shards}
        for shard, entry in found.items():
            if entry is None:
                raise SmecError(f"The store {self.folder} lacks the shard {self._path(shard)}. Embed it first.")
        return [entry for entry in found.values() if entry]

    def _note(self, shard: int, entry: Mapping[str, Any]) -> None:
        write_json(self._sidecar(shard), {"store": sha256_of_json(self._identity()), **entry})

    def _entry(self, shard: int) -> dict[str, Any] | None:
        path, sidecar = self._path(shard), self._sidecar(shard)
        if not path.exists() or not sidecar.exists():
            return None
        try:
            entry: dict[str, Any] = read_json(sidecar)
            same = entry.pop("store") == sha256_of_json(self._identity())
            return entry if same and is_whole(path, entry) else None
        except (SmecError, KeyError, AttributeError):
            return None

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.npy"

    def _sidecar(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.json"


def refuse_unusable_rows(vectors: NDArray[Any], ids: Sequence[str], where: str) -> None:
    """Raise `SmecError` for the first of the rows (n, dim) that is all zeros or has a NaN or infinite value."""
    if vectors.dtype == np.float32:
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if ((squares > 0) & (squares < np.inf)).all():  # one pass; squares may overflow, and then all are looked at
            return
    finite = np.isfinite(vectors).all(axis=1)
    usable = finite & vectors.any(axis=1)
    if not usable.all():
        row = int(np.argmin(usable))
        fault = "is all zeros" if finite[row] else "has a NaN or infinite value"
        raise SmecError(
            f"The vector of {str(ids[row])!r} for {where} {fault} ({int((~usable).sum())} such rows in this block). "
            "A vector without a direction cannot be ranked: check the text or the source of this row, or remove it."
        )


def is_whole(path: Path, entry: Mapping[str, Any]) -> bool:
    """Say whether a shard has the bytes and the sha256 of its entry."""
    return path.exists() and path.stat().st_size == entry["bytes"] and sha256_of_file(path) == entry["sha256"]


def write_manifest(folder: Path, store: Mapping[str, Any], shards: Sequence[Mapping[str, Any]]) -> None:
    """Make a store of whole `shards` a finished one, and remove what does not belong to it."""
    write_json(folder / MANIFEST, {**store, "shards": list(shards)})
    kept = {MANIFEST, *(entry["file"] for entry in shards)}
    for path in folder.glob("*shard-*"):
        if path.name not in kept:
            path.unlink()


def _write_npy(path: Path, array: NDArray[Any]) -> tuple[str, int]:
    """Write an npy file and return its sha256 and size; unlike `numpy.save` it says when the disk is full."""
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.flush()
        digest.update(path.read_bytes())
        content = array.data.cast("B")
        for start in range(0, len(content), WRITE_BLOCK_BYTES):
            block = content[start : start + WRITE_BLOCK_BYTES]
            digest.update(block)
            stream.write(block)
        size = stream.tell()
    return digest.hexdigest(), size
