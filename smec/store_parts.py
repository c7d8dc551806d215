"""The manifest of an embedding store whose shards several jobs have written, each its part."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smec.errors import SmecError
from smec.files import read_json
from smec.store_writer import is_whole, write_manifest


def gather(folder: Path, parts: Sequence[Path]) -> None:
    """Write the manifest of a store whose shards several jobs have written.

    Args:
        folder: of the store.
        parts: what each job has noted of its shards: JSON files of `StoreWriter.summed_up`.

    Raises:
        SmecError: the parts are of different stores or leave rows out, or a shard is missing or not whole.
    """
    told = [(path, read_json(path)) for path in parts]
    told = [(path, part) for path, part in told if part["shards"]]
    if not told:
        raise SmecError(
            f"None of the {len(parts)} parts of the store {folder} holds a shard. Run the embed step again."
        )
    store, entries = told[0][1]["store"], dict[str, dict[str, Any]]()
    for path, part in told:
        differing = [name for name in store if part["store"].get(name) != store[name]]
        if differing:
            raise SmecError(
                f"{told[0][0]} and {path} are of different stores: {', '.join(differing)} differ. Delete both and run "
                "the embed step again, on machines with the same packages."
            )
        for entry in part["shards"]:
            if not is_whole(folder / entry["file"], entry):
                raise SmecError(
                    f"The shard {folder / entry['file']} is missing or not what {path} says. Delete both and run the "
                    "embed step again: all other shards are kept."
                )
            entries[entry["file"]] = entry
    rows = sum(entry["rows"] for entry in entries.values())
    if rows != store["rows"]:
        raise SmecError(
            f"The {len(parts)} parts of the store {folder} hold {rows} of {store['rows']} rows. Run the embed step for "
            "all of them."
        )
    write_manifest(folder, store, [entries[name] for name in sorted(entries)])
