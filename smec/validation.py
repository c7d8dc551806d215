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

from smec.judgements import Judgements
from smec.training_data import TrainingData

CUTOFF = 10
QUERY_BLOCK = 512
PAIRS_AT_ONCE = 2_000_000
"""Judged pairs that are written out at once."""


class ValidationSet:
    """The validation queries of some training data, on one device."""

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        """Move queries and documents to `device`."""
        self.queries = torch.from_numpy(data.validation_queries).to(device)
        self.documents = torch.from_numpy(data.documents).to(device)
        self._judged = _JudgedPairs(data.validation)
        excluded = data.validation_excluded
        self._excluded = None if excluded is None else torch.from_numpy(excluded).to(device)

    def __len__(self) -> int:
        return len(self.queries)

    @torch.no_grad()
    def ndcg(self, project: Callable[[Tensor], Tensor], sizes: tuple[int, ...] | None = None) -> list[float]:
        """Return the mean nDCG@10 at each size.

        Args:
            project: maps vectors (n, M) to outputs (n, d), before they are brought to unit length.
            sizes: numbers of leading output dimensions to use; None means all of them, once.
        """
        return [float(scores.mean()) for scores in self.per_query(project, sizes)]

    def ndcg_of(self, weight: Tensor) -> float:
        """Return the mean nDCG@10 of a linear map, float (d, M)."""
        return self.ndcg(lambda vectors: vectors @ weight.T)[0]

    @torch.no_grad()
    def per_query(
        self, project: Callable[[Tensor], Tensor], sizes: tuple[int, ...] | None = None
    ) -> list[NDArray[np.float64]]:
        """Return nDCG@10 of every validation query, float64 (v,), at each size; arguments as for `ndcg`."""
        query_outputs, document_outputs = project(self.queries), project(self.documents)
        cuts = sizes or (query_outputs.shape[1],)
        return [self._ndcg_of(query_outputs[:, :cut], document_outputs[:, :cut]) for cut in cuts]

    def _ndcg_of(self, queries: Tensor, documents: Tensor) -> NDArray[np.float64]:
        documents = functional.normalize(documents)
        count = min(CUTOFF, len(documents))
        found = []
        for rows in torch.split(torch.arange(len(queries), device=queries.device), QUERY_BLOCK):
            scores = queries[rows] @ documents.T
            if self._excluded is not None:
                hide(scores, self._excluded[rows], -torch.inf)
            found.append(scores.topk(count, dim=1).indices.cpu())
        return self._judged.ndcg(torch.cat(found).numpy())


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
