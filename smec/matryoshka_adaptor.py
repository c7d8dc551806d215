"""Training of Matryoshka-Adaptor: an unsupervised and a supervised phase on one residual MLP (arXiv 2407.20243)."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smec.batches import Batch, BatchSampler
from smec.cosines import level_cosines
from smec.device_rows import DeviceRows
from smec.history import History
from smec.joint import plan_of
from smec.losses import similarity_loss
from smec.method import FitJob
from smec.objective import supervised_loss
from smec.sides import Sides
from smec.training import Trainer, training_device
from smec.training_data import TrainingData
from smec.validation import ValidationSet


class _Adapter(nn.Module):
    """`x + f(x)`; f starts at zero, so that training starts at the frozen space."""

    def __init__(self, width: int, hidden: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        scale = width**-0.5
        self.hidden_weight = nn.Parameter(torch.randn(hidden, width, generator=generator) * scale)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.output_weight = nn.Parameter(torch.zeros(width, hidden))
        self.output_bias = nn.Parameter(torch.zeros(width))

    def forward(self, vectors: Tensor) -> Tensor:
        """Adapt vectors (n, M)."""
        hidden = functional.relu(functional.linear(vectors, self.hidden_weight, self.hidden_bias))
        return vectors + functional.linear(hidden, self.output_weight, self.output_bias)


class _DocumentSampler:
    """Passes over the documents in batches, as many per epoch as the labelled phase has."""

    def __init__(
        self, data: TrainingData, batch_size: int, steps_per_epoch: int, seed: int, device: torch.device
    ) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.steps_per_epoch = steps_per_epoch
        self._documents = DeviceRows(data.documents, device)
        self._batch_size = batch_size

    def epoch(self) -> Iterator[Batch]:
        """Yield batches whose queries are documents and that carry no judgement."""
        for _ in range(self.steps_per_epoch):
            rows = torch.randint(len(self._documents), (self._batch_size,), generator=self.generator)
            drawn = self._documents[rows]
            yield Batch(drawn, drawn[:0], torch.zeros(len(drawn), 0), torch.zeros(0, dtype=torch.int64))


def fit_adapter(job: FitJob) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Train the adapter.

    Args:
        job: data, sizes, options of `matryoshka_adaptor`, seed.

    Returns:
        The tensors of the adapter, and the record of both phases in a row.
    """
    from smec.compressors.mrl import total_epochs

    options, sizes = job.options, job.sizes
    device = training_device()
    adapter = _Adapter(job.data.width, options.hidden, job.seed).to(device)
    labelled = BatchSampler(job.data, options, job.seed, device)
    unlabelled = _DocumentSampler(job.data, options.batch_size, labelled.steps_per_epoch, job.seed, device)
    validation = ValidationSet(job.data, device)

    def unsupervised(batch: Batch, done: float) -> Tensor:
        vectors = torch.cat([batch.queries, batch.documents[batch.positive]])
        return _similarity_losses(adapter, vectors, options.neighbours, sizes)

    def supervised(batch: Batch, done: float) -> Tensor:
        queries, documents = adapter(batch.queries), adapter(batch.documents)
        ranked = supervised_loss(queries, documents, batch, options, sizes)
        total: Tensor = unsupervised(batch, done) + options.supervised_weight * ranked
        return total

    def validate() -> dict[int, float]:
        return dict(zip(sizes, validation.ndcg(Sides.shared(adapter), sizes), strict=True))

    epochs = total_epochs(job)
    first = round(epochs * options.unsupervised_share)
    phases: list[tuple[str, Any, Callable[[Batch, float], Tensor], int]] = [
        ("unsupervised", unlabelled, unsupervised, first),
        ("supervised", labelled, supervised, epochs - first),
    ]
    histories = {
        name: Trainer(adapter, loss, sampler, plan_of(options, length, len(job.data.queries)), validate).run()
        for name, sampler, loss, length in phases
        if length
    }
    return {name: value.detach().cpu().numpy() for name, value in adapter.named_parameters()}, _record(histories)


def _record(histories: dict[str, History]) -> dict[str, Any]:
    """Return the curves of all phases in a row, and how long each phase was."""
    whole = reduce(History.followed_by, histories.values())
    phases = {name: {"epochs": len(one.loss), "steps": one.steps} for name, one in histories.items()}
    warnings = [warning for one in histories.values() for warning in one.warnings()]
    return whole.record() | {"phases": phases, "warnings": warnings}


def _similarity_losses(adapter: _Adapter, vectors: Tensor, neighbours: int, sizes: tuple[int, ...]) -> Tensor:
    """`sum_m [L_topk(m) + L_pair(m)] + L_rec` of a batch of frozen vectors (B, M), neighbours being of the batch."""
    adapted = adapter(vectors)
    frozen = vectors @ vectors.T
    nearest = frozen.clone().fill_diagonal_(-torch.inf).topk(min(neighbours, len(vectors) - 1), dim=1).indices
    compressed = level_cosines(adapted, adapted, sizes)
    among = nearest.expand(len(sizes), -1, -1)
    topk = similarity_loss(frozen.gather(1, nearest), compressed.gather(2, among)) / nearest.shape[1]
    pairwise = similarity_loss(frozen, compressed) / len(vectors)
    total: Tensor = (topk + pairwise).sum() + (adapted - vectors).abs().mean()
    return total
