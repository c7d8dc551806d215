"""What a compressor may learn from: frozen vectors, training judgements, mined negatives and a validation split."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.judgements import Judgements


class VectorSource(Protocol):
    """Vectors that are read by row, such as an embedding store."""

    def __len__(self) -> int: ...

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of `rows`, float32 (len(rows), M)."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """Everything that `fit` sees; test queries are not in it.

    Attributes:
        queries: float32 (n, M), unit length, the training queries.
        documents: float32 (N, M), unit length: the corpus, or of a large corpus all judged and mined documents and a
            random sample of the others.
        positives: judgements with a grade above 0; `query_rows` index `queries`, `corpus_rows` index `documents`.
        hard_negatives: int64 (n, H), rows of `documents`, most similar first, -1 where a query has fewer.
        validation_queries: float32 (v, M), unit length.
        validation: their judgements, indexing `validation_queries` and `documents`.
    """

    queries: NDArray[np.float32]
    documents: NDArray[np.float32]
    positives: Judgements
    hard_negatives: NDArray[np.int64]
    validation_queries: NDArray[np.float32]
    validation: Judgements

    @property
    def width(self) -> int:
        """M, the number of dimensions of the backbone."""
        return self.documents.shape[1]


def collect(
    queries: VectorSource,
    corpus: VectorSource,
    training: Judgements,
    validation: Judgements,
    hard_negatives: NDArray[np.int64],
    max_documents: int,
    seed: int = 0,
) -> TrainingData:
    """Bring into memory what training needs of two stores, at most about `max_documents` documents.

    Args:
        queries: the query vectors, rows as `Judgements.query_rows` of the two splits.
        corpus: the corpus vectors.
        training: positive judgements of the training split.
        validation: judgements of the validation split.
        hard_negatives: int64 (len(training), H), rows of the corpus, -1 for none.
        max_documents: a corpus larger than this is sampled; judged and mined documents are always kept.
        seed: of the sample.

    Raises:
        SmecError: there is no training query, or the negatives were mined for other queries.
    """
    if len(training) == 0:
        raise SmecError("The training split has no query with a relevant document, so nothing can be learned from it.")
    if len(hard_negatives) != len(training):
        raise SmecError(
            f"The mined negatives are of {len(hard_negatives)} queries, the training split has {len(training)}: they "
            "belong to another split. Delete the negatives file and mine again."
        )
    mined = hard_negatives[hard_negatives >= 0]
    needed = np.unique(np.concatenate([training.corpus_rows, validation.corpus_rows, mined]))
    kept = _with_sample(needed, len(corpus), max_documents, seed)
    position = np.full(len(corpus), -1, dtype=np.int64)
    position[kept] = np.arange(len(kept))
    return TrainingData(
        queries=queries.gather(training.query_rows),
        documents=corpus.gather(kept),
        positives=_reindexed(training, position),
        hard_negatives=np.where(hard_negatives >= 0, position[hard_negatives], -1),
        validation_queries=queries.gather(validation.query_rows),
        validation=_reindexed(validation, position),
    )


def _with_sample(needed: NDArray[np.int64], total: int, limit: int, seed: int) -> NDArray[np.int64]:
    """Return `needed` and a random sample of the other rows, `limit` in all unless more are needed, ascending."""
    if total <= limit:
        return np.arange(total, dtype=np.int64)
    others = np.setdiff1d(np.arange(total, dtype=np.int64), needed, assume_unique=True)
    count = max(0, limit - len(needed))
    sample = np.random.default_rng(seed).choice(others, size=min(count, len(others)), replace=False)
    return np.sort(np.concatenate([needed, sample]))


def _reindexed(judgements: Judgements, position: NDArray[np.int64]) -> Judgements:
    return Judgements(
        query_rows=np.arange(len(judgements), dtype=np.int64),
        offsets=judgements.offsets,
        corpus_rows=position[judgements.corpus_rows],
        relevance=judgements.relevance,
    )
