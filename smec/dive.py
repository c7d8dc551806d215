"""Training of DIVE: a hinge triplet loss, and NT-Xent between heads, at every size (arXiv 2605.20689).

What the abstract leaves open is chosen here. The adapter is one matrix that starts at a frozen basis, which is the same
as a residual matrix that starts at zero; its first m rows serve size m. At each size every head is a linear projection
of the output, and heads share their weights between the sizes: that of size m has the first m columns. Items are the
queries of a batch among themselves, and their relevant documents among themselves, so that a query is never pushed away
from what answers it.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smec.batches import Batch, BatchSampler
from smec.history import History
from smec.joint import plan_of
from smec.losses import nt_xent
from smec.method import FitJob
from smec.objective import supervised_loss
from smec.sides import Sides
from smec.training import Trainer, training_device
from smec.validation import ValidationSet, linear


class _Adapter(nn.Module):
    """The map, and the heads that only training uses."""

    def __init__(self, rows: Tensor, heads: int, head_size: int, seed: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(rows.clone())
        drawn = torch.randn(heads, head_size, len(rows), generator=torch.Generator().manual_seed(seed))
        self.heads = nn.Parameter(drawn / head_size**0.5)

    def views(self, outputs: Tensor, size: int) -> Tensor:
        """Return what the heads see of the first `size` dimensions of `outputs` (N, d): float (H, N, head size)."""
        return outputs[:, :size] @ self.heads[:, :, :size].transpose(1, 2)


def fit_adapter(job: FitJob, rows: NDArray[np.float32], epochs: int) -> tuple[NDArray[np.float32], History]:
    """Train the map of all sizes.

    Args:
        job: data, sizes, options of `dive`, seed and checkpoint.
        rows: float32 (d, M), the start; d is the largest of the sizes.
        epochs: passes over the training queries.

    Returns:
        The trained map, float32 (d, M), and what happened.
    """
    options, sizes = job.options, job.sizes
    device = training_device()
    adapter = _Adapter(torch.from_numpy(rows), options.heads, options.head_size, job.seed).to(device)
    sampler = BatchSampler(job.data, options, job.seed, device)
    validation = ValidationSet(job.data, device)

    def loss(batch: Batch, done: float) -> Tensor:
        queries, documents = batch.queries @ adapter.weight.T, batch.documents @ adapter.weight.T
        total: Tensor = supervised_loss(queries, documents, batch, options, sizes)
        if options.head_weight == 0:
            return total
        relevant = documents[torch.unique(batch.positive)]
        views = [adapter.views(items, size) for size in sizes for items in (queries, relevant)]
        apart = torch.stack([nt_xent(view, options.head_temperature) for view in views]).sum() / 2
        total = total + options.head_weight * apart
        return total

    def validate() -> dict[int, float]:
        return dict(zip(sizes, validation.ndcg(linear(Sides.shared(adapter.weight)), sizes), strict=True))

    history = Trainer(adapter, loss, sampler, plan_of(options, epochs, len(job.data.queries)), validate).run(
        job.checkpoint
    )
    return adapter.weight.detach().cpu().numpy(), history
