"""The embedding store: rows of vectors in memory-mapped shards, verified when they are opened.

    {folder}/shard-00000.npy ...   float32 or float16 (rows, dim), rows in the order of the parquet file
    {folder}/manifest.json         key, rows, dim, dtype, and of each shard: file, rows, bytes, sha256

The key holds everything that changes a vector. A store is written by `smec.store_writer` and never changed afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.files import read_json, sha256_of_file
from smec.mapped import reopened

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class EmbeddingStore:
    """An opened store of `len(store)` vectors; use `EmbeddingStore.open`.

    Attributes:
        folder: where the shards are.
        key: what the vectors depend on (dataset, backbone, role, prompt, precision ...).
        dim: length of a vector.
        starts: int64 (shards + 1,), the first row of each shard and the number of rows.
        shards: one memory map (rows, dim) per shard, float32 or float16.
    """

    folder: Path
    key: dict[str, Any]
    dim: int
    starts: NDArray[np.int64]
    shards: tuple[NDArray[Any], ...]

    @classmethod
    def open(
        cls, folder: str | Path, expected_key: Mapping[str, Any] | None = None, verify: bool = True
    ) -> "EmbeddingStore":
        """Open a store; nothing but the headers is read into memory.

        Args:
            folder: the folder that holds `manifest.json`.
            expected_key: the entries that the key of the store must have; other entries of the key are not compared.
            verify: compare the sha256 of every shard too, which reads the store once; sizes are always compared.

        Raises:
            SmecError: the store is missing, unfinished, of another key, or a shard is missing, truncated or altered.
        """
        root = Path(folder)
        manifest = read_manifest(root)
        check_key(root, manifest["key"], expected_key or {})
        shards = tuple(_open_shard(root, entry, manifest, verify) for entry in manifest["shards"])
        starts = np.concatenate(([0], np.cumsum([entry["rows"] for entry in manifest["shards"]]))).astype(np.int64)
        if starts[-1] != manifest["rows"]:
            raise SmecError(f"{root / MANIFEST} lists {starts[-1]} of {manifest['rows']} rows. {_remake(root)}")
        return cls(root, manifest["key"], manifest["dim"], starts, shards)

    def __len__(self) -> int:
        """Return the number of vectors."""
        return int(self.starts[-1])

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return float32 (b - a, dim): a fresh array with the rows `a:b`, also across shards.

        Raises:
            TypeError: `rows` is not a slice with step 1.
        """
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError("An EmbeddingStore is read by slices with step 1; use gather(rows) for other rows.")
        start, stop, _ = rows.indices(len(self))
        result = np.empty((max(0, stop - start), self.dim), dtype=np.float32)
        for shard, first in zip(self.shards, self.starts[:-1].tolist(), strict=True):
            low, high = max(start, first), min(stop, first + len(shard))
            if low < high:
                result[low - start : high - start] = reopened(shard)[low - first : high - first]
        return result

    def gather(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return float32 (n, dim): the vectors of the row numbers `rows` (n,), in their order, repeats allowed.

        Raises:
            IndexError: a row number is negative or not below `len(store)`.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"rows must lie in 0..{len(self) - 1}, got {wanted.min()}..{wanted.max()}")
        result = np.empty((len(wanted), self.dim), dtype=np.float32)
        order = np.argsort(wanted, kind="stable")
        bounds = np.searchsorted(wanted[order], self.starts)
        for shard, first, low, high in zip(self.shards, self.starts[:-1], bounds[:-1], bounds[1:], strict=True):
            members = order[low:high]
            if len(members):
                result[members] = reopened(shard)[wanted[members] - first]
        return result


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a finished store.

    Raises:
        SmecError: the store is missing, unfinished or of another format.
    """
    path = folder / MANIFEST
    if not path.exists():
        state = "is not finished: some shards are still to be encoded" if any(folder.glob("shard-*")) else "is missing"
        raise SmecError(
            f"The embedding store {folder} {state}. Run the embed step for it, it goes on where it stopped."
        )
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SmecError(f"{path} is not the manifest of an embedding store of format {FORMAT}. {_remake(folder)}")
    return manifest


def check_key(folder: Path, key: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise `SmecError` when an entry of `expected` differs from the key of the store, naming the entries."""
    differing = [name for name in expected if key.get(name) != expected[name]]
    if differing:
        told = "; ".join(f"{name} is {key.get(name)!r}, wanted {expected[name]!r}" for name in differing)
        what = "another dataset" if differing == ["data"] else "another backbone or other settings"
        raise SmecError(f"The embedding store {folder} is a store of {what}: {told}. {_remake(folder)}")


def _open_shard(root: Path, entry: Mapping[str, Any], manifest: Mapping[str, Any], verify: bool) -> NDArray[Any]:
    path = root / entry["file"]
    if not path.exists():
        raise SmecError(f"The shard {path} is missing. {_remake(root)}")
    if path.stat().st_size != entry["bytes"]:
        raise SmecError(
            f"The shard {path} is truncated or altered: it has {path.stat().st_size} bytes instead of "
            f"{entry['bytes']}. {_remake(root)}"
        )
    if verify and sha256_of_file(path) != entry["sha256"]:
        raise SmecError(f"The shard {path} is altered: its sha256 is not the one in the manifest. {_remake(root)}")
    try:
        shard: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SmecError(f"The shard {path} is not a readable npy file ({error}). {_remake(root)}") from error
    if shard.shape != (entry["rows"], manifest["dim"]) or shard.dtype.name != manifest["dtype"]:
        raise SmecError(
            f"The shard {path} holds {shard.dtype} {shard.shape}, not what the manifest says. {_remake(root)}"
        )
    return shard


def _remake(folder: Path) -> str:
    return f"Delete {folder} and run the embed step again."
