"""Training of Search-Adaptor at one size: ranking, recovery and prediction losses (arXiv 2310.08750, section 3)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smec.batches import Batch, BatchSampler
from smec.history import History
from smec.joint import plan_of
from smec.method import FitJob
from smec.objective import supervised_loss
from smec.sides import Sides
from smec.training import Trainer, training_device
from smec.validation import ValidationSet


class _Adapter(nn.Module):
    """The map, and the predictor of a query from its relevant document that only training uses."""

    start: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(rows.clone())
        self.register_buffer("start", rows.clone())
        self.predictor = nn.Parameter(torch.eye(len(rows)))


def fit_adapter(job: FitJob, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], History]:
    """Train the map of one size.

    Args:
        job: data, options of `search_adaptor`, seed and checkpoint.
        rows: float32 (d, M), the start, to which recovery is measured.

    Returns:
        The trained map, float32 (d, M), and what happened.
    """
    options = job.options
    device = training_device()
    adapter = _Adapter(torch.from_numpy(rows)).to(device)
    sampler = BatchSampler(job.data, options, job.seed, device)
    validation = ValidationSet(job.data, device)

    def loss(batch: Batch, done: float) -> Tensor:
        queries, documents = batch.queries @ adapter.weight.T, batch.documents @ adapter.weight.T
        total = supervised_loss(queries, documents, batch, options)
        if options.recovery:
            total = total + options.recovery * _recovery(adapter, batch, queries, documents)
        if options.prediction:
            predicted = functional.normalize(documents)[batch.positive] @ adapter.predictor.T
            total = total + options.prediction * (functional.normalize(queries) - predicted).abs().sum(1).mean()
        return total

    def validate() -> dict[int, float]:
        return {len(rows): validation.ndcg_of(Sides.shared(adapter.weight))}

    plan = plan_of(options, options.epochs, len(job.data.queries))
    history = Trainer(adapter, loss, sampler, plan, validate).run(job.checkpoint)
    return adapter.weight.detach().cpu().numpy(), history


def _recovery(adapter: _Adapter, batch: Batch, queries: Tensor, documents: Tensor) -> Tensor:
    """L_rec: mean L1 distance between output and starting output, over queries and documents of the batch."""
    started = torch.cat([batch.queries, batch.documents]) @ adapter.start.T
    return (torch.cat([queries, documents]) - started).abs().sum(1).mean()
