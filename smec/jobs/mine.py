"""`smec mine`: hard negatives of the training and validation queries, once per dataset and backbone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from smec.datasets import reading
from smec.files import atomic_path
from smec.jobs.stores import open_stores
from smec.judgements import Judgements
from smec.mining import mine_hard_negatives
from smec.self_retrieval import excluded_rows
from smec.store import EmbeddingStore

QUERY_BYTES = 1 << 30
"""Of queries that are asked at once, and held three times; the corpus is read once for each such part."""


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
        parts = [
            mine_hard_negatives(
                queries.gather(part.query_rows),
                corpus,
                part,
                spec["count"],
                None if own is None else own[part.query_rows],
                spec["block_rows"],
            )
            for part in _parts(positives, queries)
        ]
        mined[split] = np.concatenate([np.zeros((0, spec["count"]), dtype=np.int64), *parts])
    with atomic_path(output) as temporary:
        temporary.write_bytes(save(mined))


def _parts(positives: Judgements, queries: EmbeddingStore) -> Iterator[Judgements]:
    """Yield the judgements of as many queries at a time as may be held."""
    count = max(1, QUERY_BYTES // (4 * queries.dim))
    for start in range(0, len(positives), count):
        places: NDArray[np.int64] = np.arange(start, min(start + count, len(positives)))
        yield positives.select(places)
