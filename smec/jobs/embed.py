"""`smec embed` and `smec embed-part`: turn the queries or the corpus of a dataset into an embedding store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import backbones, embedding


def run(spec: Mapping[str, Any], data: Path, output: Path) -> None:
    """Encode one role; a run that was stopped goes on at its last whole shard.

    Args:
        spec: `backbone` settings, `role`, `shard_rows` and `dtype`.
        data: folder of the dataset.
        output: folder of the store.
    """
    settings = backbones.parse(spec["backbone"])
    embedding.embed(data, settings, spec["role"], output, shard_rows=spec["shard_rows"], dtype=spec["dtype"])


def run_part(spec: Mapping[str, Any], data: Path, output: Path) -> None:
    """Encode a part of the shards of one role; a run that was stopped goes on at its last whole shard.

    Args:
        spec: as for `run`, and `part`, from 1, of `parts`.
        data: folder of the dataset.
        output: the file that `smec gather` reads, in the folder of the store.
    """
    embedding.embed_part(
        data,
        backbones.parse(spec["backbone"]),
        spec["role"],
        output,
        part=spec["part"],
        parts=spec["parts"],
        shard_rows=spec["shard_rows"],
        dtype=spec["dtype"],
    )
