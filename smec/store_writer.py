"""Writing an embedding store shard by shard, so that a killed run goes on at the first shard that is not whole.

Beside each finished shard lies a small JSON file with the key, the size and the sha256. Shards are written under a
temporary name and renamed, so that several jobs can write different shards of one store. `finish` verifies all of them
and writes the manifest.
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
        details: facts for the manifest that do not change a vector (versions of packages, say).
    """

    folder: Path
    key: Mapping[str, Any]
    rows: int
    dim: int
    shard_rows: int
    dtype: StoreDtype = "float32"
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
            (self.folder / MANIFEST).unlink()
            return False
        if (manifest["rows"], manifest["dim"], manifest["dtype"]) == (self.rows, self.dim, self.dtype):
            return True
        (self.folder / MANIFEST).unlink()
        return False

    def missing(self) -> list[int]:
        """Return the shards that are still to be written; those that are whole and of this key are kept."""
        return [shard for shard in range(len(self)) if self._entry(shard) is None]

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
        entry = {"file": path.name, "rows": stop - start, "bytes": size, "sha256": digest}
        write_json(self._sidecar(shard), {"store": sha256_of_json(self._identity()), **entry})

    def finish(self) -> None:
        """Write the manifest once every shard is whole, and remove what does not belong to the store.

        Raises:
            SmecError: a shard is missing or not whole.
        """
        entries = [self._entry(shard) for shard in range(len(self))]
        if None in entries:
            raise SmecError(
                f"The store {self.folder} lacks the shard {self._path(entries.index(None))}. Embed it first."
            )
        write_json(self.folder / MANIFEST, {**self._identity(), **self.details, "shards": entries})
        kept = {MANIFEST, *(self._path(shard).name for shard in range(len(self)))}
        for path in self.folder.glob("*shard-*"):
            if path.name not in kept:
                path.unlink()

    def _identity(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "key": dict(self.key),
            "rows": self.rows,
            "dim": self.dim,
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
        }

    def _entry(self, shard: int) -> dict[str, Any] | None:
        path, sidecar = self._path(shard), self._sidecar(shard)
        if not path.exists() or not sidecar.exists():
            return None
        try:
            entry: dict[str, Any] = read_json(sidecar)
            whole = entry.pop("store") == sha256_of_json(self._identity())
            whole = whole and path.stat().st_size == entry["bytes"] and sha256_of_file(path) == entry["sha256"]
        except (SmecError, KeyError, AttributeError):
            return None
        return entry if whole else None

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.npy"

    def _sidecar(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.json"


def refuse_unusable_rows(vectors: NDArray[Any], ids: Sequence[str], where: str) -> None:
    """Raise `SmecError` for the first of the rows (n, dim) that is all zeros or has a NaN or infinite value."""
    finite = np.isfinite(vectors).all(axis=1)
    usable = finite & vectors.any(axis=1)
    if not usable.all():
        row = int(np.argmin(usable))
        fault = "is all zeros" if finite[row] else "has a NaN or infinite value"
        raise SmecError(
            f"The vector of {str(ids[row])!r} for {where} {fault} ({int((~usable).sum())} such rows in this block). "
            "A vector without a direction cannot be ranked: check the text or the source of this row, or remove it."
        )


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
