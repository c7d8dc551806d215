"""Batches of training queries with a relevant document each, their hard negatives, and the grades of all pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smec.cosines import cosines
from smec.device_rows import DeviceRows
from smec.options import SupervisedOptions
from smec.sides import Sides
from smec.training_data import TrainingData


@dataclass(frozen=True)
class Batch:
    """One step's input.

    Attributes:
        queries: float32 (B, M).
        documents: float32 (U, M), the distinct documents of the batch.
        relevance: float32 (B, U), the grade of every pair: 0 for documents to contrast with, -1 for those to ignore.
        positive: int64 (B,), for each query the place in `documents` of the relevant document drawn for it.
        taught: float32 (B, U), the teacher's cosine of every pair; None without a teacher.
    """

    queries: Tensor
    documents: Tensor
    relevance: Tensor
    positive: Tensor
    taught: Tensor | None = None


class BatchSampler:
    """Draws batches from training data, on one device.

    An epoch passes once over the queries in random order and draws one relevant document for each. Its batches are of
    equal size, up to one: a small last batch would move a map as far as a full one, on less evidence. All randomness
    comes from `generator`, whose state is part of a checkpoint.
    """

    def __init__(
        self,
        data: TrainingData,
        options: SupervisedOptions,
        seed: int,
        device: torch.device,
        teacher: Sides[Tensor] | None = None,
    ) -> None:
        """Move the vectors to `device`; `options` say how large a batch is and which negatives it has.

        The outputs of a `teacher`, float (d, M) each, never change, so that all vectors pass through it once, here.
        """
        self.batch_size = options.batch_size
        self._hard_negatives = options.hard_negatives
        self._random_negatives = options.random_negatives
        self._own_negatives_only = options.contrast == "own"
        self.generator = torch.Generator().manual_seed(seed)
        self._queries, self._documents = DeviceRows(data.queries, device), DeviceRows(data.documents, device)
        self._taught_queries = None if teacher is None else self._queries.through(teacher.queries, data.folder)
        self._taught_documents = None if teacher is None else self._documents.through(teacher.corpus, data.folder)
        judged = data.positives
        self._starts, self._stops = torch.from_numpy(judged.starts), torch.from_numpy(judged.stops)
        self._counts, self._own = torch.from_numpy(judged.counts), torch.from_numpy(judged.own_places)
        self._positive_rows = torch.from_numpy(data.positives.corpus_rows)
        self._grades = torch.from_numpy(data.positives.relevance)
        pool = max(options.hard_negatives, options.negative_pool)
        self._pool = torch.from_numpy(np.ascontiguousarray(data.hard_negatives[:, :pool]))
        self._excluded = None if data.excluded is None else torch.from_numpy(data.excluded)
        self._place = torch.full((len(data.documents),), -1, dtype=torch.int64)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return steps_per_epoch(len(self._queries), self.batch_size)

    def epoch(self) -> Iterator[Batch]:
        """Yield the batches of one epoch."""
        order = torch.randperm(len(self._queries), generator=self.generator)
        for queries in torch.tensor_split(order, self.steps_per_epoch):
            yield self._batch(queries)

    def _batch(self, queries: Tensor) -> Batch:
        starts, counts = self._starts[queries], self._counts[queries]
        drawn = (torch.rand(len(queries), generator=self.generator) * counts).long().clamp_max(counts - 1)
        places = starts + drawn
        positives = self._positive_rows[places + (places >= self._own[queries])]
        negatives = self._draw_hard_negatives(queries)
        others = torch.randint(len(self._place), (self._random_negatives,), generator=self.generator)
        rows = torch.unique(torch.cat([positives, negatives[negatives >= 0], others]))
        relevance = self._relevance(queries, rows)
        if self._excluded is not None:
            self._ignore(relevance, rows, self._excluded[queries])
        if self._own_negatives_only:
            relevance = self._ignoring_others(relevance, rows, negatives.view(len(queries), -1), others)
        device = self._queries.device
        positive = torch.searchsorted(rows, positives).to(device)
        queries, rows = queries.to(device), rows.to(device)
        return Batch(
            queries=self._queries[queries],
            documents=self._documents[rows],
            relevance=relevance.to(device),
            positive=positive,
            taught=self._taught(queries, rows),
        )

    def _taught(self, queries: Tensor, rows: Tensor) -> Tensor | None:
        if self._taught_queries is None or self._taught_documents is None:
            return None
        return cosines(self._taught_queries[queries], self._taught_documents[rows])

    def _draw_hard_negatives(self, queries: Tensor) -> Tensor:
        """Return mined rows of `queries`, int64 (B * H,), a random choice of the pool of each."""
        pool = self._pool[queries]
        if pool.shape[1] > self._hard_negatives:
            drawn = torch.rand(pool.shape, generator=self.generator).argsort(1)[:, : self._hard_negatives]
            pool = pool.gather(1, drawn)
        return pool.flatten()

    def _relevance(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Return the grades (B, U) of documents `rows` for `queries`."""
        self._place[rows] = torch.arange(len(rows))
        starts = self._starts[queries]
        lengths = self._stops[queries] - starts
        owner = torch.repeat_interleave(torch.arange(len(queries)), lengths)
        first = torch.cumsum(lengths, 0) - lengths
        judgement = torch.arange(len(owner)) - first[owner] + starts[owner]
        place = self._place[self._positive_rows[judgement]]
        present = (place >= 0) & (judgement != self._own[queries][owner])
        relevance = torch.zeros(len(queries), len(rows))
        relevance[owner[present], place[present]] = self._grades[judgement[present]]
        self._place[rows] = -1
        return relevance

    def _ignoring_others(self, relevance: Tensor, rows: Tensor, own: Tensor, shared: Tensor) -> Tensor:
        """Set to -1 what is neither relevant to a query nor among its `own` (B, H) or the `shared` negatives."""
        candidate = relevance > 0
        mined = own >= 0
        place = torch.searchsorted(rows, own.clamp_min(0))
        candidate[torch.arange(len(own)).unsqueeze(1).expand_as(own)[mined], place[mined]] = True
        candidate[:, torch.searchsorted(rows, shared)] = True
        return torch.where(candidate, relevance, -1.0)

    def _ignore(self, relevance: Tensor, rows: Tensor, excluded: Tensor) -> None:
        """Set to -1 the document of each query, int64 (B,), that it must not meet, where the batch has it."""
        place = torch.searchsorted(rows, excluded).clamp_max(len(rows) - 1)
        met = ((rows[place] == excluded) & (excluded >= 0)).nonzero().flatten()
        relevance[met, place[met]] = -1.0


def steps_per_epoch(queries: int, batch_size: int) -> int:
    """Return the number of batches of at most `batch_size` that pass once over `queries`."""
    return -(-queries // batch_size)
