"""nDCG@10 on the validation queries while a model trains.

The reported metrics come from a library (`smec.metrics`); this is the same definition on tensors, because it runs after
every epoch, and it stands apart so that an edit of the reported metrics never retrains a model. A test keeps the two
equal.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from smec.device_rows import DeviceRows
from smec.judgements import Judgements
from smec.sides import Sides
from smec.training_data import TrainingData

CUTOFF = 10
Projection = Callable[[Tensor], Tensor]
"""Maps vectors (n, M) to outputs (n, d), before they are brought to unit length."""

QUERY_BLOCK = 512
PAIRS_AT_ONCE = 2_000_000
"""Judged pairs that are written out at once."""


class ValidationSet:
    """The validation queries of some training data, on one device."""

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        """Take queries and documents to `device`."""
        self.queries = DeviceRows(data.validation_queries, device)
        self.documents = DeviceRows(data.documents, device)
        self._judged = _JudgedPairs(data.validation)
        excluded = data.validation_excluded
        self._excluded = None if excluded is None else torch.from_numpy(excluded).to(device)

    def __len__(self) -> int:
        return len(self.queries)

    @torch.no_grad()
    def ndcg(self, project: Sides[Projection], sizes: tuple[int, ...] | None = None) -> list[float]:
        """Return the mean nDCG@10 at each size.

        Args:
            project: of queries and of documents.
            sizes: numbers of leading output dimensions to use; None means all of them, once.
        """
        return [float(scores.mean()) for scores in self.per_query(project, sizes)]

    def ndcg_of(self, weight: Sides[Tensor]) -> float:
        """Return the mean nDCG@10 of linear maps, float (d, M) each."""
        return self.ndcg(linear(weight))[0]

    @torch.no_grad()
    def per_query(self, project: Sides[Projection], sizes: tuple[int, ...] | None = None) -> list[NDArray[np.float64]]:
        """Return nDCG@10 of every validation query, float64 (v,), at each size; arguments as for `ndcg`."""
        asked = torch.cat([project.queries(block) for block in self.queries.blocks()])
        cuts = sizes or (asked.shape[1],)
        found = [_Nearest(asked[:, :cut], self._excluded) for cut in cuts]
        for block in self.documents.blocks():
            outputs = project.corpus(block)
            for nearest, cut in zip(found, cuts, strict=True):
                nearest.add(functional.normalize(outputs[:, :cut]))
        return [self._judged.ndcg(nearest.rows()) for nearest in found]


class _Nearest:
    """The nearest documents of all queries, kept while the documents pass by in blocks."""

    def __init__(self, queries: Tensor, excluded: Tensor | None) -> None:
        self._queries, self._excluded = queries, excluded
        self._parts = torch.split(torch.arange(len(queries), device=queries.device), QUERY_BLOCK)
        self._best: list[tuple[Tensor, Tensor]] = []
        self._seen = 0

    def add(self, documents: Tensor) -> None:
        """Take in the next documents, float (b, d), at unit length."""
        found = [self._of(part, documents) for part in self._parts]
        self._best = list(map(_better, self._best, found)) if self._best else found
        self._seen += len(documents)

    def rows(self) -> NDArray[np.int64]:
        """Return the best documents of each query, int64 (v, k), best first."""
        return torch.cat([rows for _, rows in self._best]).cpu().numpy()

    def _of(self, part: Tensor, documents: Tensor) -> tuple[Tensor, Tensor]:
        scores = self._queries[part] @ documents.T
        if self._excluded is not None:
            own = self._excluded[part] - self._seen
            hide(scores, torch.where(own < len(documents), own, -1), -torch.inf)
        best, rows = scores.topk(min(CUTOFF, len(documents)), dim=1)
        return best, rows + self._seen


def _better(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Join the best of two sets of documents; both are scores (q, k) and rows (q, k)."""
    scores, rows = (torch.cat(pair, dim=1) for pair in zip(first, second, strict=True))
    best, places = scores.topk(min(CUTOFF, scores.shape[1]), dim=1)
    return best, rows.gather(1, places)


def linear(weight: Sides[Tensor]) -> Sides[Projection]:
    """Return the projections of linear maps, float (d, M) each."""

    def by(matrix: Tensor) -> Projection:
        return lambda vectors: vectors @ matrix.T

    return weight.each(by)


def hide(table: Tensor, columns: Tensor, value: float) -> None:
    """Write `value` into one column of each row of `table` (n, N), in place; a column below 0 leaves the row alone."""
    rows = (columns >= 0).nonzero().flatten()
    table[rows, columns[rows]] = value


class _JudgedPairs:
    """Grades of (query, document), and the best DCG that each query allows."""

    def __init__(self, judgements: Judgements) -> None:
        self._judgements = judgements
        self._ideal = np.concatenate([_ideal(block) for block in judgements.blocks(PAIRS_AT_ONCE)])

    def ndcg(self, ranked: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return nDCG of the documents `ranked`, int64 (v, k), best first."""
        grades = self._judgements.grades_of(ranked).astype(np.float64)
        gained = (grades * discount(np.arange(ranked.shape[1]))).sum(axis=1)
        best: NDArray[np.float64] = np.maximum(self._ideal, np.finfo(np.float64).tiny)
        return np.asarray(gained / best)


def _ideal(judgements: Judgements) -> NDArray[np.float64]:
    owner = np.repeat(np.arange(len(judgements)), judgements.counts)
    grades = judgements.relevance.astype(np.float64)
    best_first = np.lexsort((-grades, owner))
    rank = np.arange(len(owner)) - judgements.starts[owner]
    gains = np.where(rank < CUTOFF, grades[best_first] * discount(rank), 0.0)
    return np.asarray(np.bincount(owner, weights=gains, minlength=len(judgements)), dtype=np.float64)


def discount(rank: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return `1 / log2(rank + 2)` for ranks that start at 0 (trec_eval's nDCG: linear gain)."""
    discounts: NDArray[np.float64] = 1.0 / np.log2(rank + 2.0)
    return discounts
