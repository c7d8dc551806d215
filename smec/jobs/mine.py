"""`smec mine`: hard negatives of the training queries, once per dataset and backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smec.datasets import reading
from smec.files import atomic_path
from smec.mining import mine_hard_negatives
from smec.self_retrieval import excluded_rows
from smec.store import EmbeddingStore


def run(spec: Mapping[str, Any], data: Path, embeddings: Path, output: Path) -> None:
    """Write int64 (n, `spec["count"]`) corpus rows, one row per training query with a relevant document."""
    positives = reading.judgements(data, "train").positives()
    queries = EmbeddingStore.open(embeddings / "queries")
    corpus = EmbeddingStore.open(embeddings / "corpus")
    own = excluded_rows(data)
    excluded = None if own is None else own[positives.query_rows]
    negatives = mine_hard_negatives(
        queries.gather(positives.query_rows), corpus, positives, spec["count"], excluded, spec["block_rows"]
    )
    with atomic_path(output) as temporary:
        np.save(temporary, negatives, allow_pickle=False)
