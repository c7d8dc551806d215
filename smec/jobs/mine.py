"""`smec mine`: hard negatives of the training and validation queries, once per dataset and backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from smec.datasets import reading
from smec.files import atomic_path
from smec.jobs.stores import open_stores
from smec.mining import mine_hard_negatives
from smec.self_retrieval import excluded_rows


def run(spec: Mapping[str, Any], data: Path, embeddings: Path, output: Path) -> None:
    """Write `train` and `validation`, int64 (n, H) corpus rows, one row per query with a relevant document.

    Args:
        spec: `backbone` settings, `count`, `block_rows`.
        data: folder of the dataset.
        embeddings: folder that holds the stores `queries` and `corpus`.
        output: the safetensors file.
    """
    queries, corpus = open_stores(data, embeddings, spec["backbone"])
    own = excluded_rows(data)
    mined = {}
    for split in ("train", "validation"):
        positives = reading.judgements(data, split).positives()
        mined[split] = mine_hard_negatives(
            queries.gather(positives.query_rows),
            corpus,
            positives,
            spec["count"],
            None if own is None else own[positives.query_rows],
            spec["block_rows"],
        )
    with atomic_path(output) as temporary:
        temporary.write_bytes(save(mined))
