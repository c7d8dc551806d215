"""`smec embed`: turn the queries or the corpus of a dataset into an embedding store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import backbones
from smec.embedding import embed


def run(spec: Mapping[str, Any], data: Path, output: Path) -> None:
    """Encode one role; a run that was stopped goes on at its last whole shard.

    Args:
        spec: `backbone` settings, `role`, `shard_rows` and `dtype`.
        data: folder of the dataset.
        output: folder of the store.
    """
    settings = backbones.parse(spec["backbone"])
    embed(data, settings, spec["role"], output, shard_rows=spec["shard_rows"], dtype=spec["dtype"])
