"""Training of one linear map with the losses of several sizes at once, each size being the first rows of the map."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smec.batches import Batch, BatchSampler
from smec.memory import SelectiveMemory
from smec.method import FitJob
from smec.objective import MatryoshkaObjective
from smec.options import SupervisedOptions
from smec.training import History, Plan, Trainer, training_device
from smec.validation import ValidationSet


class _LinearMap(nn.Module):
    """What learns, and the memory, which is part of the state of a checkpoint."""

    def __init__(self, rows: Tensor, memory: SelectiveMemory | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(rows.clone())
        self.memory = memory


def plan_of(options: SupervisedOptions, epochs: int) -> Plan:
    """Return the plan that the options describe, for `epochs` epochs."""
    return Plan(
        epochs=epochs,
        learning_rate=options.learning_rate,
        final_learning_rate=options.final_learning_rate,
        path=options.path,
        averaging=options.averaging,
        keep=options.keep,
    )


def fit_linear_map(
    job: FitJob, rows: NDArray[np.float32], sizes: tuple[int, ...], epochs: int
) -> tuple[NDArray[np.float32], History]:
    """Train a map that starts at `rows`.

    Args:
        job: data, options (a `SimilarityOptions`), seed and checkpoint.
        rows: float32 (d, M), the start; d is the largest of `sizes`.
        sizes: the sizes whose losses are added up and whose validation scores are averaged.
        epochs: passes over the training queries.

    Returns:
        The trained map, float32 (d, M), and what happened.
    """
    device = training_device()
    objective = MatryoshkaObjective(job.options, job.data.width, device)
    module = _LinearMap(torch.from_numpy(rows).to(device), objective.memory)
    sampler = BatchSampler(job.data, job.options, job.seed, device)
    validation = ValidationSet(job.data, device)

    def loss(batch: Batch, done: float) -> Tensor:
        return objective(batch, module.weight, sizes)

    def validate() -> float:
        return float(np.mean(validation.ndcg(lambda x: x @ module.weight.T, sizes)))

    history = Trainer(module, loss, sampler, plan_of(job.options, epochs), validate).run(job.checkpoint)
    return module.weight.detach().cpu().numpy(), history
