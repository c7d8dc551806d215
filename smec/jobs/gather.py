"""`smec gather`: make one store of the shards that several jobs have written."""

from collections.abc import Sequence
from pathlib import Path

from smec import store_parts


def run(parts: Sequence[Path], output: Path) -> None:
    """Write the manifest of the store in the folder `output`; `parts` are the files that `smec embed-part` wrote."""
    store_parts.gather(output, parts)
