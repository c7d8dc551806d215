"""Bring your own vectors: arrays of queries and documents with judgements, no text and no model needed.

The backbone of such a dataset is `precomputed`. Vectors are only ever read by blocks.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from smec.datasets.base import Dataset, DatasetSettings
from smec.datasets.judgement_files import read_judgements
from smec.datasets.splits import complete_split
from smec.datasets.vector_files import VectorFile, open_vectors, read_ids
from smec.errors import SmecError
from smec.modality import Modality


class ArraysSettings(DatasetSettings):
    """Vectors and judgements from files."""

    kind: Literal["arrays"] = Field(default="arrays", description="Vectors and judgements from local files.")
    corpus: Path = Field(
        description="Vectors of the documents: .npy of shape (rows, dim), or .parquet with the columns id and vector."
    )
    queries: Path = Field(description="Vectors of the queries, in the same forms.")
    qrels: Path = Field(
        description="Judgements: .tsv with a header line and query-id, corpus-id, score, or .parquet with query_id, "
        "corpus_id, relevance; an optional further column `split` holds train, validation (or dev) or test."
    )
    corpus_ids: Path | None = Field(
        default=None,
        description="Ids beside a .npy of documents: .txt with one per line or .parquet with the column id; row "
        "numbers from 0 when null.",
    )
    query_ids: Path | None = Field(default=None, description="Ids beside a .npy of queries, as for `corpus_ids`.")

    def modality(self, role: str) -> Modality:
        """Return vectors (see the base class)."""
        return "vectors"


def load(settings: ArraysSettings, folder: Path) -> Dataset:
    """Open, check and describe the vectors; those of a .parquet file are copied to an .npy file in `folder`.

    Raises:
        SmecError: a file is missing or malformed, shapes or dimensions disagree, a vector is unusable, or the
            judgements have a fault.
    """
    corpus_ids = read_ids(settings.corpus, settings.corpus_ids)
    query_ids = read_ids(settings.queries, settings.query_ids)
    corpus = open_vectors(settings.corpus, corpus_ids, folder / "corpus-vectors.npy")
    queries = open_vectors(settings.queries, query_ids, folder / "queries-vectors.npy")
    if corpus.dim != queries.dim:
        raise SmecError(
            f"The vectors of {settings.corpus} have {corpus.dim} dimensions, those of {settings.queries} have "
            f"{queries.dim}. "
            "Both must come from the same backbone."
        )
    qrels, published = read_judgements(settings.qrels)
    split, rule = complete_split(published, settings.validation_fraction, settings.test_fraction)
    return Dataset(
        source=f"{settings.corpus}, {settings.queries} and {settings.qrels}",
        corpus=_table(corpus_ids),
        queries=_table(query_ids),
        qrels=qrels,
        split=split,
        split_rule=rule,
        details={"vectors": {"corpus": _entry(corpus, folder), "queries": _entry(queries, folder)}},
    )


def _table(ids: pa.Array) -> pa.Table:
    return pa.table({"id": ids, "source_row": pa.array(np.arange(len(ids), dtype=np.int64))})


def _entry(vectors: VectorFile, folder: Path) -> dict[str, Any]:
    inside = vectors.path.parent == folder
    return {
        "path": vectors.path.name if inside else str(vectors.path.resolve()),
        "rows": vectors.rows,
        "dim": vectors.dim,
        "dtype": vectors.dtype,
        "sha256": vectors.sha256,
    }
