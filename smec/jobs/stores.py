"""Opening the stores that a job reads, checked against the dataset and the backbone that the job is meant for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import backbones
from smec.embedding import expected_key
from smec.store import EmbeddingStore


def open_stores(data: Path, embeddings: Path, backbone: Mapping[str, Any]) -> tuple[EmbeddingStore, EmbeddingStore]:
    """Return the stores of the queries and of the corpus.

    Args:
        data: folder of the dataset.
        embeddings: folder that holds the stores `queries` and `corpus`.
        backbone: settings of the backbone that should have made them.

    Raises:
        SmecError: a store is missing or damaged, or is of another dataset, backbone, revision or prompt.
    """
    settings = backbones.parse(backbone)
    queries, corpus = (
        EmbeddingStore.open(embeddings / role, expected_key(data, settings, role)) for role in ("queries", "corpus")
    )
    return queries, corpus
