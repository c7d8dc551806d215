"""SMRL: one stage of sequential Matryoshka training, with adaptive dimension selection (SMEC, steps 1, 2, 3 ...).

Stage k starts from the rows of the previous map that the previous stage selected, trains them with the loss at the size
before and at the selected size, and freezes. The trained map folds into one matrix per size whatever the options, or
into one per size and side where queries and documents have a map each.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smec import pull_back
from smec.ads import IMPORTANCE, SelectionTrace, commitment_warnings, temperature_at
from smec.basis import axes_of, moment_of_blocks
from smec.batches import Batch, BatchSampler, steps_per_epoch
from smec.history import History
from smec.label_evidence import labels_tell
from smec.method import FitJob, Fitted, Stage
from smec.objective import MatryoshkaObjective
from smec.options import SmrlOptions
from smec.row_blocks import row_blocks, through
from smec.sides import Sides, combined, named_tensors, starting_at
from smec.stage_map import build_stage_map
from smec.training import Plan, Trainer, training_device
from smec.validation import ValidationSet

Maps = Sides[NDArray[np.float32]]

SERVED = ""
HELD_OUT = "held_out_"
"""What the tensors of a stage file begin with that are those of the first fits.

Where a second fit learns from the validation queries too, a later stage that went on from it would be judged by queries
that its start has learned. So a chain of first fits is carried along, which no gradient of a validation query has
touched: choices are made on it, the other is served."""


@dataclass(frozen=True)
class _Trained:
    """The outcome of one training run: start and end of the whole maps, the rows selected, and what happened."""

    start: Maps
    weight: Maps
    kept: NDArray[np.int64]
    history: History

    @property
    def rows(self) -> int:
        """How many rows the whole maps have."""
        return len(self.weight.corpus)

    def record(self) -> dict[str, Any]:
        warnings = self.history.warnings() + commitment_warnings(self.history.kept_notes)
        return self.history.record() | {"selection_per_epoch": self.history.notes, "warnings": warnings}


def fit_stage(method: str, job: FitJob) -> Fitted:
    """Fit one stage of a chain.

    Args:
        method: name for the stage file.
        job: `job.options` is an `SmrlOptions`; `job.size` the size to produce; `job.previous` the stage before.
    """
    options: SmrlOptions = job.options
    epochs, epochs_again = _epochs(job)
    first = trained = _train(job, _start(job, HELD_OUT), HELD_OUT, epochs, keep=options.keep)
    record = trained.record()
    whitened = _whitened(job, first.start)
    choices = _choices(job, first, whitened) if options.pull_back else {}
    if epochs_again:
        start = first.start if job.previous is None else _start(job, SERVED)
        trained = _train(_refit_job(job), start, SERVED, epochs_again, keep="last")
        record["refit"] = {key: value for key, value in trained.record().items() if not key.startswith("validation")}
    record["pull_back"] = {str(size): choice.__dict__ for size, choice in choices.items()}

    def pulled_back(fitted: _Trained) -> dict[int, Maps]:
        served = _served(job, fitted)
        return served | {size: choice.apply(served[size], job.data, whitened) for size, choice in choices.items()}

    tensors, outputs = _frozen(job, trained, pulled_back(trained), SERVED)
    if epochs_again and job.size != job.sizes[-1]:  # after the last stage nobody reads it
        tensors |= _frozen(job, first, pulled_back(first), HELD_OUT)[0]
    tensors["selected"] = trained.kept
    if whitened is not None:
        tensors["whitened"] = whitened[: job.size]
    return Fitted(Stage(method, tensors, outputs), record)


def stage_epochs(options: SmrlOptions, first: bool, stages: int, longer: float = 1.0) -> tuple[int, int]:
    """Return the epochs of a stage: of the fit on training queries alone, and of the second fit on all queries.

    In steps, together they are at most `epochs`, or the share of the chain's total that `first_stage_share` gives.

    Args:
        options: the options of the chain.
        first: whether the stage is the first one.
        stages: the number of stages of the chain.
        longer: steps of an epoch over all queries, as a multiple of those over the training queries.
    """
    own = options.epochs
    if options.first_stage_share is not None and stages > 1:
        total = options.epochs * stages
        opening = round(total * options.first_stage_share)
        own = opening if first else (total - opening) // (stages - 1)
    if options.refit_share == 0:
        return max(1, own), 0
    again = round(own * options.refit_share)
    return max(1, own - again), max(1, int(again / longer))


def _epochs(job: FitJob) -> tuple[int, int]:
    data, size = job.data, job.options.batch_size
    longer = steps_per_epoch(len(data.queries) + len(data.validation_queries), size)
    return stage_epochs(
        job.options,
        first=job.previous is None,
        stages=sum(size < data.width for size in job.sizes),
        longer=longer / steps_per_epoch(len(data.queries), size),
    )


def _refit_job(job: FitJob) -> FitJob:
    """The same job on all queries, with a checkpoint of its own: a run that is resumed fits both times again."""
    checkpoint = None if job.checkpoint is None else job.checkpoint.with_stem(f"{job.checkpoint.stem}-refit")
    return replace(job, data=job.data.merged(), checkpoint=checkpoint)


def _train(job: FitJob, start: Maps, chain: str, epochs: int, keep: str) -> _Trained:
    """Train the rows of `start` that may still move, taught by the teacher of the `chain`."""
    assert job.size is not None
    options, data = job.options, job.data
    device, larger = training_device(), _larger_size(job)
    trainable = start.each(lambda rows: rows[:larger])
    stage_map = build_stage_map(options, data, trainable, job.size, job.seed).to(device)
    sampler = BatchSampler(data, options, job.seed, device, _teacher(job, chain, device))
    objective = MatryoshkaObjective(options, data.width, device)
    stage_map.memory = objective.memory
    validation = ValidationSet(data, device)
    trace = SelectionTrace(stage_map.adaptive, options)

    def loss(batch: Batch, done: float) -> Tensor:
        mask = stage_map.mask(temperature_at(options, done), sampler.generator)
        return objective(batch, stage_map.weight(), [larger, mask])

    def validate() -> dict[int, float]:
        weight, kept = stage_map.weight(), stage_map.kept_rows()
        selected = weight.each(lambda rows: rows[kept])
        served = [selected] if job.previous is not None else [weight, selected]
        return {len(maps.corpus): validation.ndcg_of(maps) for maps in served}

    trainer = Trainer(stage_map, loss, sampler, _plan(job, epochs, keep), validate, trace.observe)
    history = trainer.run(job.checkpoint)
    weight = stage_map.weight().each(lambda rows: rows.detach().cpu().numpy())
    return _Trained(start, weight, stage_map.kept_rows().cpu().numpy(), history)


def _plan(job: FitJob, epochs: int, keep: str) -> Plan:
    options: SmrlOptions = job.options
    assert job.size is not None
    path = options.path_for(len(job.data.queries))
    growth = max(1.0, job.data.width / (4 * job.size)) if options.path_growth else 1.0
    return Plan(
        epochs=epochs,
        learning_rate=options.learning_rate,
        final_learning_rate=options.final_learning_rate,
        path=None if path is None else path * growth,
        averaging=options.averaging,
        keep=keep,
        learning_rates={IMPORTANCE: options.importance_learning_rate},
    )


def _start(job: FitJob, chain: str) -> Maps:
    """The whole maps that the stage starts from, float32 (rows, M) each; the trainable rows come first."""
    if job.previous is None:
        return starting_at(job.data.basis(job.options.basis, job.options.shrinkage), job.options.maps)
    smallest = min(job.previous.outputs)
    whole = _handed_on(job.previous, chain, job.previous.outputs[smallest])
    if job.options.rotation == "none":
        return whole
    # Queries are turned onto the axes of the documents, because products need the same axes on both sides.
    outputs = through(row_blocks(job.data.documents), whole.corpus[:smallest])
    axes = axes_of(moment_of_blocks(outputs, smallest))[0].astype(np.float32)
    return whole.each(lambda rows: np.concatenate([axes @ rows[:smallest], rows[smallest:]]))


def _handed_on(previous: Stage, chain: str, name: str) -> Maps:
    """Maps of the stage before, of the `chain` of first fits if it had two fits."""
    two = any(tensor.startswith(HELD_OUT) for tensor in previous.tensors)
    return previous.matrices(f"{chain}{name}" if two else name)


def _larger_size(job: FitJob) -> int:
    """The size that the stage goes down from: that of the previous stage, or the backbone's width."""
    return job.data.width if job.previous is None else min(job.previous.outputs)


def _teacher(job: FitJob, chain: str, device: torch.device) -> Sides[Tensor] | None:
    """The maps whose similarities are distilled: the first stage's at full width, handed on in each stage file."""
    if job.options.distillation == 0 or job.previous is None:
        return None
    return _handed_on(job.previous, chain, "teacher").each(lambda rows: torch.from_numpy(rows).to(device))


def _served(job: FitJob, trained: _Trained) -> dict[int, Maps]:
    """The maps of the sizes that the stage serves: its own, and at the first stage the full width."""
    assert job.size is not None
    served = {job.size: trained.weight.each(lambda rows: rows[trained.kept])}
    if job.previous is None:
        served[trained.rows] = trained.weight
    return served


def _whitened(job: FitJob, start: Maps) -> NDArray[np.float32] | None:
    """The map of learned whitening where a trained one is to be mixed with it, handed on in each stage file."""
    if not job.options.pull_back or job.options.basis != "learned_whitening":
        return None
    return start.corpus if job.previous is None else job.previous.tensors["whitened"]


def _choices(job: FitJob, trained: _Trained, whitened: NDArray[np.float32] | None) -> dict[int, pull_back.PullBack]:
    device = training_device()
    validation = ValidationSet(job.data, device)

    @functools.cache
    def told() -> bool:
        return labels_tell(job.data, pull_back.LABELLED_QUERIES, device)

    served = _served(job, trained)
    return {size: pull_back.choose(maps, job.data, validation, whitened, told) for size, maps in served.items()}


def _frozen(
    job: FitJob, trained: _Trained, served: Mapping[int, Maps], chain: str
) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    """Return the tensors that sizes are read from and that the next stage needs, and which tensor has which size."""
    assert job.size is not None
    tensors: dict[str, NDArray[Any]] = {}
    larger = trained.rows
    if job.options.distillation:
        teacher = served[larger] if job.previous is None else _handed_on(job.previous, chain, "teacher")
        tensors |= named_tensors(f"{chain}teacher", teacher)
    if job.options.levels == "nested":
        others = np.setdiff1d(np.arange(larger), trained.kept)

        def whole(
            kept: NDArray[np.float32], rows: NDArray[np.float32], before: NDArray[np.float32]
        ) -> NDArray[np.float32]:
            return np.concatenate([kept, rows[others], before[larger:]])

        tensors |= named_tensors(f"{chain}weight", combined(whole, served[job.size], trained.weight, trained.start))
        return tensors, {size: "weight" for size in job.sizes if size >= job.size}
    names = {size: f"weight{size}" for size in served if size in job.sizes}
    for size, name in names.items():
        tensors |= named_tensors(f"{chain}{name}", served[size])
    return tensors, names
