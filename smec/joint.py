"""Training of one linear map with the losses of several sizes at once, each size being the first rows of the map."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smec.ads import IMPORTANCE, SelectionTrace, adaptive_selection, commitment_warnings, temperature_at
from smec.batches import Batch, BatchSampler
from smec.cosines import Level
from smec.memory import SelectiveMemory
from smec.method import FitJob
from smec.objective import MatryoshkaObjective
from smec.options import SupervisedOptions
from smec.selection import AdaptiveSelection
from smec.training import Plan, Trainer, training_device
from smec.validation import ValidationSet


class _LinearMap(nn.Module):
    """What learns, and the memory, which is part of the state of a checkpoint."""

    def __init__(self, rows: Tensor, memory: SelectiveMemory | None, adaptive: AdaptiveSelection | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(rows.clone())
        self.memory = memory
        self.adaptive = adaptive

    @torch.no_grad()
    def ordered(self) -> Tensor:
        """Return the rows, float (d, M), in such an order that the first m are those of size m."""
        return self.weight if self.adaptive is None else self.weight[self.adaptive.order()]


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
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Train a map that starts at `rows`.

    Args:
        job: data, options of `mrl`, seed and checkpoint.
        rows: float32 (d, M), the start; d is the largest of `sizes`.
        sizes: the sizes whose losses are added up and whose validation scores are averaged.
        epochs: passes over the training queries.

    Returns:
        The trained map, float32 (d, M), whose first rows serve each size, and the record.
    """
    device, options = training_device(), job.options
    objective = MatryoshkaObjective(options, job.data.width, device)
    cuts = tuple(size for size in sizes if size < len(rows))
    adaptive = adaptive_selection(options, job.data, rows, cuts) if options.selection == "ads" and cuts else None
    module = _LinearMap(torch.from_numpy(rows), objective.memory, adaptive).to(device)
    sampler = BatchSampler(job.data, options, job.seed, device)
    validation = ValidationSet(job.data, device)

    def levels(done: float) -> list[Level]:
        if adaptive is None:
            return list(sizes)
        masks = adaptive(temperature_at(options, done), sampler.generator)
        return [*masks, *(size for size in sizes if size not in cuts)]

    def loss(batch: Batch, done: float) -> Tensor:
        return objective(batch, module.weight, levels(done))

    def validate() -> dict[int, float]:
        weight = module.ordered()
        return dict(zip(sizes, validation.ndcg(lambda x: x @ weight.T, sizes), strict=True))

    plan = replace(plan_of(options, epochs), learning_rates={IMPORTANCE: options.importance_learning_rate})
    trace = SelectionTrace(adaptive, options)
    history = Trainer(module, loss, sampler, plan, validate, trace.observe).run(job.checkpoint)
    warnings = history.warnings() + commitment_warnings(history.kept_notes)
    record = history.record() | {"selection_per_epoch": history.notes, "warnings": warnings}
    return module.ordered().detach().cpu().numpy(), record
