"""What a compressor may learn from: frozen vectors, training judgements, mined negatives and a validation split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.basis import StartName, principal_axes
from smec.errors import SmecError
from smec.judgements import Judgements
from smec.row_blocks import row_blocks, rows_at_once, taken
from smec.scratch import Room, stored


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
        validation: their relevant documents, indexing `validation_queries` and `documents`.
        validation_negatives: int64 (v, H), as `hard_negatives`.
        excluded: int64 (n,), for each training query a row of `documents` that it must not meet, itself where the
            dataset excludes self-retrieval, -1 for none; None where it excludes nothing.
        validation_excluded: int64 (v,), the same for the validation queries.
        folder: of the files that the vectors lie in; None means in memory. Those in a file are read by blocks
            (`smec.row_blocks`, `smec.device_rows`).
    """

    queries: NDArray[np.float32]
    documents: NDArray[np.float32]
    positives: Judgements
    hard_negatives: NDArray[np.int64]
    validation_queries: NDArray[np.float32]
    validation: Judgements
    validation_negatives: NDArray[np.int64]
    excluded: NDArray[np.int64] | None = None
    validation_excluded: NDArray[np.int64] | None = None
    folder: Path | None = None

    @property
    def width(self) -> int:
        """M, the number of dimensions of the backbone."""
        width: int = self.documents.shape[1]
        return width

    @property
    def nbytes(self) -> int:
        """Bytes of all vectors."""
        return self.queries.nbytes + self.documents.nbytes + self.validation_queries.nbytes

    @cached_property
    def axes(self) -> NDArray[np.float32]:
        """The principal axes of the documents as rows, float32 (M, M), strongest first."""
        return principal_axes(self.documents)[0]

    def basis(self, name: StartName, shrinkage: float | None = None) -> NDArray[np.float32]:
        """Return the rows, float32 (M, M), that a map may start from, the strongest first.

        Args:
            name: which start.
            shrinkage: of `learned_whitening`; None: validation chooses.
        """
        if name == "learned_whitening":
            from smec.learned_whitening import learned_whitening

            return learned_whitening(self, shrinkage)
        return np.eye(self.width, dtype=np.float32) if name == "identity" else self.axes

    def merged(self) -> "TrainingData":
        """Return the same data with the validation queries among the training queries, for a last fit."""
        return replace(
            self,
            queries=concatenated([self.queries, self.validation_queries], self.folder),
            positives=self._labelled(),
            hard_negatives=np.concatenate([self.hard_negatives, self.validation_negatives]),
            excluded=_concatenated(self.excluded, self.validation_excluded),
        )

    def labelled_sample(self, count: int) -> "TrainingData":
        """Return the same data validated on at most `count` of all labelled queries, for maps that saw none of them.

        They are drawn at random, always alike: the first ones may be all of one dataset.
        """
        trained, labelled = len(self.queries), len(self.queries) + len(self.validation_queries)
        kept = np.sort(np.random.default_rng(0).permutation(labelled)[:count])
        queries = [self.queries[kept[kept < trained]], self.validation_queries[kept[kept >= trained] - trained]]
        excluded = _concatenated(self.excluded, self.validation_excluded)
        return replace(
            self,
            validation_queries=np.concatenate(queries),
            validation=self._labelled().take(kept),
            validation_excluded=None if excluded is None else excluded[kept],
        )

    def _labelled(self) -> Judgements:
        return Judgements.joined([self.positives, self.validation], [0, 0])


def collect(
    queries: VectorSource,
    corpus: VectorSource,
    training: Judgements,
    validation: Judgements,
    hard_negatives: NDArray[np.int64],
    validation_negatives: NDArray[np.int64],
    max_documents: int,
    seed: int = 0,
    excluded_rows: NDArray[np.int64] | None = None,
    room: Room | None = None,
) -> TrainingData:
    """Gather what training needs of two stores, at most about `max_documents` documents.

    Args:
        queries: the query vectors, rows as `Judgements.query_rows` of the two splits.
        corpus: the corpus vectors.
        training: positive judgements of the training split.
        validation: positive judgements of the validation split.
        hard_negatives: int64 (len(training), H), rows of the corpus, -1 for none.
        validation_negatives: int64 (len(validation), H).
        max_documents: a corpus larger than this is sampled; judged and mined documents are always kept.
        seed: of the sample.
        excluded_rows: int64 (len(queries),), a corpus row that each query must not meet, -1 for none; None: no policy.
        room: where the vectors are put; None means in memory.

    Raises:
        SmecError: there is no training query, the negatives were mined for other queries, or the disk is full.
    """
    if len(training) == 0:
        raise SmecError("The training split has no query with a relevant document, so nothing can be learned from it.")
    if len(validation) == 0:
        raise SmecError(
            "The validation split has no query with a relevant document, so nothing can be chosen. Raise "
            "`validation_fraction` of the dataset."
        )
    if (len(hard_negatives), len(validation_negatives)) != (len(training), len(validation)):
        raise SmecError(
            f"Negatives were mined for {len(hard_negatives)} training and {len(validation_negatives)} validation "
            f"queries, the splits have {len(training)} and {len(validation)}. Delete the negatives file and mine again."
        )
    mined = np.concatenate([hard_negatives, validation_negatives]).ravel()
    mined = mined[mined >= 0]
    needed = np.unique(np.concatenate([training.corpus_rows, validation.corpus_rows, mined]))
    kept = _with_sample(needed, len(corpus), max_documents, seed)
    position = np.full(len(corpus), -1, dtype=np.int64)
    position[kept] = np.arange(len(kept))
    row = corpus.gather(kept[:1])
    folder = (room or Room()).folder_for(row.nbytes * (len(kept) + len(training) + len(validation)))
    return TrainingData(
        queries=_gathered(queries, training.query_rows, row, folder),
        documents=_gathered(corpus, kept, row, folder),
        positives=_reindexed(training, position),
        hard_negatives=np.where(hard_negatives >= 0, position[hard_negatives], -1),
        validation_negatives=np.where(validation_negatives >= 0, position[validation_negatives], -1),
        excluded=_excluded(excluded_rows, training, position),
        validation_excluded=_excluded(excluded_rows, validation, position),
        validation_queries=_gathered(queries, validation.query_rows, row, folder),
        validation=_reindexed(validation, position),
        folder=folder,
    )


def concatenated(parts: Sequence[NDArray[np.float32]], folder: Path | None) -> NDArray[np.float32]:
    """Return arrays (n, M) one after the other, in memory or in a file of `folder`."""
    blocks = chain.from_iterable(map(row_blocks, parts))
    return stored(blocks, (sum(map(len, parts)), parts[0].shape[1]), parts[0].dtype, folder)


def chosen(vectors: NDArray[np.float32], rows: NDArray[np.int64], folder: Path | None) -> NDArray[np.float32]:
    """Return rows of an array (n, M), in memory or in a file of `folder`."""
    return stored(taken(vectors, rows), (len(rows), vectors.shape[1]), vectors.dtype, folder)


def _gathered(
    source: VectorSource, rows: NDArray[np.int64], row: NDArray[Any], folder: Path | None
) -> NDArray[np.float32]:
    """Return rows of a store; `row` (1, M) is one of them, which says what they are like."""
    if folder is None:
        return source.gather(rows)
    count = rows_at_once(row.shape[1], row.itemsize)
    blocks: Iterator[NDArray[Any]] = (source.gather(rows[at : at + count]) for at in range(0, len(rows), count))
    return stored(blocks, (len(rows), row.shape[1]), row.dtype, folder)


def _with_sample(needed: NDArray[np.int64], total: int, limit: int, seed: int) -> NDArray[np.int64]:
    """Return `needed` and a random sample of the other rows, `limit` in all unless more are needed, ascending."""
    if total <= limit:
        return np.arange(total, dtype=np.int64)
    others = np.setdiff1d(np.arange(total, dtype=np.int64), needed, assume_unique=True)
    count = max(0, limit - len(needed))
    sample = np.random.default_rng(seed).choice(others, size=min(count, len(others)), replace=False)
    return np.sort(np.concatenate([needed, sample]))


def _reindexed(judgements: Judgements, position: NDArray[np.int64]) -> Judgements:
    own = judgements.own
    return replace(
        judgements,
        query_rows=np.arange(len(judgements), dtype=np.int64),
        corpus_rows=position[judgements.corpus_rows],
        own=None if own is None else np.where(own >= 0, position[own], -1),
    )


def _excluded(
    rows: NDArray[np.int64] | None, judgements: Judgements, position: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    if rows is None:
        return None
    own = rows[judgements.query_rows]
    return np.where(own >= 0, position[own], -1)


def _concatenated(first: NDArray[np.int64] | None, second: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if first is None or second is None else np.concatenate([first, second])
