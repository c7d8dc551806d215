"""`smec fetch`: build a dataset on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import datasets


def run(spec: Mapping[str, Any], output: Path) -> None:
    """Write the five files of the dataset that `spec["dataset"]` describes to the folder `output`."""
    datasets.prepare(datasets.parse(spec["dataset"]), output)
