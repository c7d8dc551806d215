"""Relevance judgements as arrays: which corpus rows are relevant to which query rows, and how much."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Judgements:
    """Judgements of `n` queries in compressed sparse row form; queries ascend, documents ascend within a query.

    Attributes:
        query_rows: int64 (n,), rows of the judged queries in `queries.parquet` and in the query store.
        offsets: int64 (n + 1,); the documents of query i are at `offsets[i]:offsets[i + 1]`.
        corpus_rows: int64 (nnz,), rows of the documents in `corpus.parquet` and in the corpus store.
        relevance: float32 (nnz,), trec_eval grades; 0 means judged and not relevant.
    """

    query_rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    corpus_rows: NDArray[np.int64]
    relevance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.query_rows)

    @staticmethod
    def from_triples(queries: NDArray[Any], documents: NDArray[Any], relevance: NDArray[Any]) -> "Judgements":
        """Build from three parallel arrays (nnz,) of query rows, corpus rows and grades, in any order."""
        order = np.lexsort((documents, queries))
        rows, counts = np.unique(queries, return_counts=True)
        return Judgements(
            query_rows=rows.astype(np.int64),
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            corpus_rows=np.asarray(documents, dtype=np.int64)[order],
            relevance=np.asarray(relevance, dtype=np.float32)[order],
        )

    def positives(self) -> "Judgements":
        """Return the judgements with a grade above 0; queries without any are dropped."""
        keep = self.relevance > 0
        queries = np.repeat(self.query_rows, np.diff(self.offsets))
        return Judgements.from_triples(queries[keep], self.corpus_rows[keep], self.relevance[keep])

    def take(self, places: NDArray[np.int64]) -> "Judgements":
        """Return the judgements of the queries at `places`, int64 (k,), in that order, as rows 0 ... k - 1."""
        counts = np.diff(self.offsets)[places]
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        owner = np.repeat(np.arange(len(places)), counts)
        kept = np.arange(len(owner)) - offsets[owner] + self.offsets[places][owner]
        return Judgements(
            query_rows=np.arange(len(places), dtype=np.int64),
            offsets=offsets,
            corpus_rows=self.corpus_rows[kept],
            relevance=self.relevance[kept],
        )
