"""SMRL: one stage of sequential Matryoshka training, with adaptive dimension selection (SMEC, steps 1, 2, 3 ...).

Stage k starts from the rows of the previous map that the previous stage selected, trains them with the loss at the size
before and at the selected size, and freezes. The trained map folds into one matrix per size whatever the options.
"""

import math
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from smec.basis import principal_axes, starting_basis
from smec.batches import Batch, BatchSampler
from smec.linear import normalized
from smec.method import FitJob, Fitted, Stage
from smec.objective import MatryoshkaObjective
from smec.options import SimilarityOptions
from smec.selection import COMMITTED_ENTROPY, AdaptiveSelection, fixed_selection, selection_entropy
from smec.training import History, Plan, Trainer, training_device
from smec.training_data import TrainingData
from smec.validation import ValidationSet

SETTLED_SHARE = 0.8
"""Share of a stage's epochs after which a selection is expected to stay as it is."""

SETTLED_CHANGE = 0.05
"""Share of the kept dimensions that may still change in one of those last epochs without a warning."""


class SmrlOptions(SimilarityOptions):
    """Options of a chain of stages; each is a row of the ablation."""

    projection: Literal["sub", "stacked"] = Field(
        "sub",
        description="`sub`: a stage reads the frozen vector; `stacked`: a new layer on the previous stage's output.",
    )
    levels: Literal["separate", "nested"] = Field(
        "separate",
        description="`separate`: each size its own frozen matrix; `nested`: one matrix whose prefixes are the sizes.",
    )
    selection: Literal["ads", "truncation", "random", "variance", "contribution"] = Field(
        "ads", description="How a stage chooses the dimensions that it keeps."
    )
    rotation: Literal["none", "pca"] = Field(
        "none",
        description="`pca`: before a later stage, rotate its outputs to their principal axes over the documents. "
        "Similarities at the larger size stay as they are; what is selected changes.",
    )
    first_stage_share: float | None = Field(
        None, gt=0, lt=1, description="Share of the chain's epochs that the first stage gets; null: all stages alike."
    )
    path_growth: bool = Field(
        False, description="Let `path` grow as sizes shrink: times max(1, M / (4 d)) in the stage that produces d."
    )
    gumbel_temperature: float = Field(1.0, ge=0, description="Temperature of ADS at the start of a stage; 0: no noise.")
    final_gumbel_temperature: float = Field(0.1, ge=0, description="Temperature of ADS at the end of a stage.")
    importance_learning_rate: float = Field(0.05, gt=0, description="Learning rate of the importance vector of ADS.")


class _StageMap(nn.Module):
    """The map of one stage and the choice among its rows."""

    below: Tensor | None
    fixed_mask: Tensor | None

    def __init__(self, layer: Tensor, below: Tensor | None, selection: AdaptiveSelection | Tensor) -> None:
        """Train `layer`, float (d, M); or float (d, d) on top of the frozen `below`, float (d, M)."""
        super().__init__()
        self.layer = nn.Parameter(layer)
        self.register_buffer("below", below)
        self.adaptive = selection if isinstance(selection, AdaptiveSelection) else None
        self.register_buffer("fixed_mask", None if isinstance(selection, AdaptiveSelection) else selection)

    def weight(self) -> Tensor:
        """Return the map that reads the frozen vectors, float (d, M)."""
        return self.layer if self.below is None else self.layer @ self.below

    def mask(self, temperature: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Return the factor of each row, float (d,)."""
        if self.adaptive is not None:
            return self.adaptive(temperature, generator)
        assert self.fixed_mask is not None
        return self.fixed_mask

    @torch.no_grad()
    def kept_rows(self) -> Tensor:
        """Return the selected rows, int64 (k,), ascending, so that an order of the rows survives a stage."""
        return self.mask().nonzero().flatten()


def fit_stage(method: str, job: FitJob) -> Fitted:
    """Fit one stage of a chain.

    Args:
        method: name for the stage file.
        job: `job.options` is an `SmrlOptions`; `job.size` the size to produce; `job.previous` the stage before.
    """
    options: SmrlOptions = job.options
    device = training_device()
    start = _start(job)
    stage_map = _stage_map(job, start).to(device)
    sampler = BatchSampler(job.data, options, job.seed, device)
    teacher = _teacher(job)
    objective = MatryoshkaObjective(
        options, job.data.width, device, None if teacher is None else torch.from_numpy(teacher).to(device)
    )
    stage_map.memory = objective.memory
    validation = ValidationSet(job.data, device)
    trace = _SelectionTrace(stage_map)

    def loss(batch: Batch, done: float) -> Tensor:
        temperature = annealed(options.gumbel_temperature, options.final_gumbel_temperature, done)
        mask = stage_map.mask(temperature, sampler.generator)
        return objective(batch, stage_map.weight(), [None, mask])

    def validate() -> float:
        weight, kept = stage_map.weight().detach(), stage_map.kept_rows()
        served = [weight[kept]] if job.previous is not None else [weight, weight[kept]]
        return float(np.mean([validation.ndcg(lambda x, w=w: x @ w.T)[0] for w in served]))

    trainer = Trainer(stage_map, loss, sampler, _plan(job), validate, trace.observe)
    history = trainer.run(job.checkpoint)
    return Fitted(_frozen(method, job, stage_map, start), _record(history, trace, options))


def annealed(start: float, end: float, done: float) -> float:
    """Return the temperature after the share `done` of a stage: geometric from `start` to `end`; 0 stays 0."""
    return 0.0 if start == 0 or end == 0 else float(start * (end / start) ** done)


def _plan(job: FitJob) -> Plan:
    options: SmrlOptions = job.options
    assert job.size is not None
    growth = max(1.0, job.data.width / (4 * job.size)) if options.path_growth else 1.0
    return Plan(
        epochs=stage_epochs(options, first=job.previous is None, stages=_stages(job)),
        learning_rate=options.learning_rate,
        final_learning_rate=options.final_learning_rate,
        path=None if options.path is None else options.path * growth,
        averaging=options.averaging,
        keep=options.keep,
        learning_rates={"adaptive.importance": options.importance_learning_rate},
    )


def stage_epochs(options: SmrlOptions, first: bool, stages: int) -> int:
    """Return the epochs of a stage: `epochs` of them, or a share of the chain's total that favours the first."""
    total = options.epochs * stages
    if options.first_stage_share is None or stages == 1:
        return options.epochs
    opening = max(1, round(total * options.first_stage_share))
    return opening if first else max(1, (total - opening) // (stages - 1))


def _stages(job: FitJob) -> int:
    return sum(size < job.data.width for size in job.sizes)


def _teacher(job: FitJob) -> NDArray[np.float32] | None:
    """The map whose similarities later stages distil: the first stage's at full width, handed on in each stage file."""
    if job.options.distillation == 0 or job.previous is None:
        return None
    return np.asarray(job.previous.tensors["teacher"], dtype=np.float32)


def _start(job: FitJob) -> NDArray[np.float32]:
    """The whole map that the stage starts from, float32 (rows, M); the trainable rows come first."""
    if job.previous is None:
        return starting_basis(job.options.basis, job.data.documents)
    smallest = min(job.previous.outputs)
    whole = np.asarray(job.previous.tensors[job.previous.outputs[smallest]], dtype=np.float32)
    if job.options.rotation == "none":
        return whole
    axes = principal_axes(job.data.documents @ whole[:smallest].T)[0]
    return np.concatenate([axes @ whole[:smallest], whole[smallest:]])


def _larger_size(job: FitJob) -> int:
    """The size that the stage goes down from: that of the previous stage, or the backbone's width."""
    return job.data.width if job.previous is None else min(job.previous.outputs)


def _stage_map(job: FitJob, start: NDArray[np.float32]) -> _StageMap:
    assert job.size is not None
    options: SmrlOptions = job.options
    rows = start[: _larger_size(job)]
    stacked = options.projection == "stacked"
    layer = torch.eye(len(rows)) if stacked else torch.from_numpy(rows.copy())
    below = torch.from_numpy(rows.copy()) if stacked else None
    if options.selection == "ads":
        return _StageMap(layer, below, AdaptiveSelection(torch.zeros(len(rows)), job.size))
    chosen = fixed_selection(options.selection, job.size, *_selection_evidence(job.data, rows), seed=job.seed)
    return _StageMap(layer, below, torch.zeros(len(rows)).index_fill(0, torch.from_numpy(chosen), 1.0))


def _selection_evidence(data: TrainingData, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Outputs of the queries, of the documents, and of each query's first relevant document and hardest negative."""
    mined = data.hard_negatives[:, 0] if data.hard_negatives.shape[1] else np.full(len(data.queries), -1)
    usable = mined >= 0
    relevant = data.positives.corpus_rows[data.positives.offsets[:-1]]
    return (
        normalized(data.queries[usable] @ rows.T),
        normalized(data.documents @ rows.T),
        normalized(data.documents[relevant[usable]] @ rows.T),
        normalized(data.documents[mined[usable]] @ rows.T),
    )


def _frozen(method: str, job: FitJob, stage_map: _StageMap, start: NDArray[np.float32]) -> Stage:
    """Freeze the stage: what the sizes that it serves are read from, and what the next stage needs."""
    assert job.size is not None
    weight = stage_map.weight().detach().cpu().numpy()
    kept = stage_map.kept_rows().cpu().numpy()
    larger = len(weight)
    tensors: dict[str, NDArray[Any]] = {"selected": kept}
    if job.options.distillation:
        tensors["teacher"] = weight if job.previous is None else job.previous.tensors["teacher"]
    if job.options.levels == "nested":
        others = np.setdiff1d(np.arange(larger), kept)
        tensors["weight"] = np.concatenate([weight[kept], weight[others], start[larger:]])
        return Stage(method, tensors, {size: "weight" for size in job.sizes if size >= job.size})
    tensors[f"weight{job.size}"] = weight[kept]
    outputs = {job.size: f"weight{job.size}"}
    if job.previous is None and larger in job.sizes:
        tensors[f"weight{larger}"] = weight
        outputs[larger] = f"weight{larger}"
    return Stage(method, tensors, outputs)


class _SelectionTrace:
    """How the selection develops, epoch by epoch."""

    def __init__(self, stage_map: _StageMap) -> None:
        self._map = stage_map
        self._last = stage_map.kept_rows()

    def observe(self) -> dict[str, Any]:
        """Return the share of kept dimensions that changed since the last epoch, and the entropy of the choice."""
        kept = self._map.kept_rows()
        changed = 1.0 - float(torch.isin(kept, self._last).float().mean())
        self._last = kept
        if self._map.adaptive is None:
            return {"changed": changed, "entropy": 0.0}
        importance = self._map.adaptive.importance.detach().cpu().numpy()
        return {"changed": changed, "entropy": selection_entropy(importance, len(kept))}


def _record(history: History, trace: _SelectionTrace, options: SmrlOptions) -> dict[str, Any]:
    return history.record() | {
        "selection": {"rule": options.selection, "per_epoch": history.notes},
        "warnings": history.warnings() + _commitment_warnings(history.notes),
    }


def _commitment_warnings(notes: list[dict[str, Any]]) -> list[str]:
    """Say so when a selection is still undecided, or still changes, at the end of a stage."""
    warnings = []
    if notes and notes[-1]["entropy"] > COMMITTED_ENTROPY:
        warnings.append(
            f"the selection never commits: entropy {notes[-1]['entropy']:.2f} of 1 at the end (committed: below "
            f"{COMMITTED_ENTROPY}); lower `gumbel_temperature` or raise `importance_learning_rate`"
        )
    late = [note["changed"] for note in notes[math.ceil(SETTLED_SHARE * len(notes)) :]]
    if late and max(late) > SETTLED_CHANGE:
        warnings.append(f"the selection still changes: {max(late):.0%} of the kept dimensions in one of the last epochs")
    return warnings
