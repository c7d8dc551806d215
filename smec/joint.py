"""Training of linear maps with the losses of several sizes at once, each size being the first rows of a map."""

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
from smec.side_maps import SideMaps
from smec.sides import Sides, starting_at
from smec.training import Plan, Trainer, training_device
from smec.validation import ValidationSet, linear


class _LinearMap(nn.Module):
    """What learns, and the memory, which is part of the state of a checkpoint."""

    def __init__(self, rows: Sides[Tensor], memory: SelectiveMemory | None, adaptive: AdaptiveSelection | None) -> None:
        super().__init__()
        self.weight = SideMaps(rows)
        self.memory = memory
        self.adaptive = adaptive

    @torch.no_grad()
    def ordered(self) -> Sides[Tensor]:
        """Return the rows, float (d, M) each, in such an order that the first m are those of size m."""
        weight: Sides[Tensor] = self.weight()
        if self.adaptive is None:
            return weight
        order = self.adaptive.order()
        return weight.each(lambda rows: rows[order])


def plan_of(options: SupervisedOptions, epochs: int, queries: int) -> Plan:
    """Return the plan that the options describe, for `epochs` epochs over so many training queries."""
    return Plan(
        epochs=epochs,
        learning_rate=options.learning_rate,
        final_learning_rate=options.final_learning_rate,
        path=options.path_for(queries),
        averaging=options.averaging,
        keep=options.keep,
    )


def fit_linear_map(
    job: FitJob, rows: NDArray[np.float32], sizes: tuple[int, ...], epochs: int
) -> tuple[Sides[NDArray[np.float32]], dict[str, Any]]:
    """Train one map of both sides, or one of each, as the options say; both start at `rows`.

    Args:
        job: data, options of `mrl`, seed and checkpoint.
        rows: float32 (d, M), the start; d is the largest of `sizes`.
        sizes: the sizes whose losses are added up and whose validation scores are averaged.
        epochs: passes over the training queries.

    Returns:
        The trained maps, float32 (d, M) each, whose first rows serve each size, and the record.
    """
    device, options = training_device(), job.options
    objective = MatryoshkaObjective(options, job.data.width, device)
    cuts = tuple(size for size in sizes if size < len(rows))
    adaptive = adaptive_selection(options, job.data, rows, cuts) if options.selection == "ads" and cuts else None
    start = starting_at(rows, options.maps).each(torch.from_numpy)
    module = _LinearMap(start, objective.memory, adaptive).to(device)
    sampler = BatchSampler(job.data, options, job.seed, device)
    validation = ValidationSet(job.data, device)

    def levels(done: float) -> list[Level]:
        if adaptive is None:
            return list(sizes)
        masks = adaptive(temperature_at(options, done), sampler.generator)
        return [*masks, *(size for size in sizes if size not in cuts)]

    def loss(batch: Batch, done: float) -> Tensor:
        return objective(batch, module.weight(), levels(done))

    def validate() -> dict[int, float]:
        return dict(zip(sizes, validation.ndcg(linear(module.ordered()), sizes), strict=True))

    plan = plan_of(options, epochs, len(job.data.queries))
    plan = replace(plan, learning_rates={IMPORTANCE: options.importance_learning_rate})
    trace = SelectionTrace(adaptive, options)
    history = Trainer(module, loss, sampler, plan, validate, trace.observe).run(job.checkpoint)
    warnings = history.warnings() + commitment_warnings(history.kept_notes)
    record = history.record() | {"selection_per_epoch": history.notes, "warnings": warnings}
    return module.ordered().each(lambda rows: rows.detach().cpu().numpy()), record
