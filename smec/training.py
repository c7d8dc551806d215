"""The training loop that all learned methods share: Adam, an epoch at a time, validated, resumable, deterministic."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from smec.adam import Adam
from smec.batches import Batch, BatchSampler
from smec.errors import SmecError
from smec.files import atomic_path
from smec.history import History
from smec.progress import progress

LOGGER = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training queries.
        learning_rate: of Adam, at the start.
        final_learning_rate: share of it that is left at the end of the linear decay; 1 means constant.
        path: if given, the learning rate is at most this divided by the number of steps.
        averaging: decay per step of the exponential moving average of the weights that is validated and kept;
            0 means the weights themselves.
        keep: `best` returns the weights of the epoch with the best validation score, `last` the last ones.
    """

    epochs: int
    learning_rate: float
    final_learning_rate: float = 1.0
    path: float | None = None
    averaging: float = 0.0
    keep: str = "best"
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    """Parameters, by name, that learn at a rate of their own."""


class Trainer:
    """Trains a module on batches.

    The module's parameters and buffers, Adam's moments, the average, the best weights, the sampler's random state and
    the history make up the whole state, so that a run that is stopped and resumed gives the same bytes as one that is
    not.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Batch, float], Tensor],
        sampler: BatchSampler,
        plan: Plan,
        validate: Callable[[], Mapping[int, float]] | None,
        observe: Callable[[], dict[str, Any]] | None = None,
        on_gradient: Callable[[Mapping[str, Tensor], int], None] | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            module: what learns.
            loss: takes a batch and the share of the run that is done, in [0, 1); returns a scalar.
            sampler: where batches come from.
            plan: length and speed.
            validate: scores the module as it stands, by size, higher is better; the mean over the sizes chooses. None
                where nothing is held out; the last weights are then kept.
            observe: called after each epoch; what it returns is kept in `History.notes`.
            on_gradient: called in each step, between gradient and update, with the gradients by the names of their
                parameters, not to be changed, and the number of the epoch, from 1.
        """
        self.module, self.loss, self.sampler, self.plan = module, loss, sampler, plan
        self.validate, self.observe, self.on_gradient = validate, observe, on_gradient
        self.history = History()
        self._learned = {name: value for name, value in module.named_parameters() if value.requires_grad}
        steps = plan.epochs * sampler.steps_per_epoch
        rate = min(plan.learning_rate, math.inf if plan.path is None else plan.path / steps)
        self._rates = [plan.learning_rates.get(name, rate) for name in self._learned]
        self._optimizer = Adam(list(self._learned.values()))
        self._average = self._copied() if plan.averaging else {}
        self._best = self._copied() if self._keeps_best else {}
        self._best_score = -math.inf

    def run(self, checkpoint: Path | None = None) -> History:
        """Train to the end, from `checkpoint` if it exists, and leave the module with the weights that are kept.

        Raises:
            SmecError: the loss is not finite.
        """
        if checkpoint is not None and checkpoint.exists():
            self._load(checkpoint)
        if not self.history.loss:
            self._judge(epoch=0)
        saved = time.perf_counter()
        remaining = range(len(self.history.loss) + 1, self.plan.epochs + 1)
        for epoch in progress(remaining, "training", total=len(remaining)):
            began = time.perf_counter()
            self._train_epoch(epoch)
            self.history.epoch_seconds.append(time.perf_counter() - began)
            self._judge(epoch)
            if checkpoint is not None and time.perf_counter() - saved > CHECKPOINT_SECONDS:
                self._save(checkpoint)
                saved = time.perf_counter()
        if self._keeps_best:
            self._restore(self._best)
        else:
            self._restore(self._average)
            self.history.kept_epoch = self.plan.epochs
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        return self.history

    def _train_epoch(self, epoch: int) -> None:
        losses, norms = [], []
        total = self.plan.epochs * self.sampler.steps_per_epoch
        for batch in self.sampler.epoch():
            done = self.history.steps / total
            self._optimizer.zero_grad()
            loss = self.loss(batch, done)
            torch.autograd.backward(loss)
            gradients = {name: value.grad for name, value in self._learned.items() if value.grad is not None}
            norms.append(_gradient_norm(gradients.values()))
            if self.on_gradient is not None:
                self.on_gradient(gradients, epoch)
            self._optimizer.step([rate * self._decay(done) for rate in self._rates])
            self._update_average()
            losses.append(loss.detach())
            self.history.steps += 1
        mean = float(torch.stack(losses).mean())
        if not math.isfinite(mean):
            raise SmecError(
                f"The training loss became {mean} in epoch {epoch}. Lower `learning_rate` or raise `temperature` for "
                "this method and run again; nothing was written for this stage."
            )
        epoch_norms = torch.stack(norms)
        self.history.loss.append(mean)
        self.history.gradient_norm.append(float(epoch_norms.mean()))
        self.history.largest_gradient_norm = max(self.history.largest_gradient_norm, float(epoch_norms.max()))

    def _decay(self, done: float) -> float:
        return 1 - (1 - self.plan.final_learning_rate) * done

    def _judge(self, epoch: int) -> None:
        began = time.perf_counter()
        current = self._copied() if self.plan.averaging else {}
        self._restore(self._average)
        if self.validate is not None:
            score = self.history.judged(self.validate())
            if score > self._best_score:
                self._best_score, self.history.kept_epoch = score, epoch
                if self._keeps_best:
                    self._best = self._copied()
        if self.observe is not None:
            self.history.notes.append(self.observe())
        self._restore(current)
        self.history.validation_seconds += time.perf_counter() - began

    @property
    def _keeps_best(self) -> bool:
        return self.plan.keep == "best" and self.validate is not None

    def _copied(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._learned.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        for name, average in self._average.items():
            average.lerp_(self._learned[name], 1 - self.plan.averaging)

    @torch.no_grad()
    def _restore(self, weights: dict[str, Tensor]) -> None:
        for name, value in weights.items():
            self._learned[name].copy_(value)

    def _save(self, checkpoint: Path) -> None:
        # Both sides of a map may be one tensor, which the format refuses.
        tensors = {f"module.{name}": value.clone() for name, value in self.module.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        tensors |= {f"adam.{name}": value for name, value in self._optimizer.state().items()}
        tensors["sampler"] = self.sampler.generator.get_state()
        metadata = {"history": json.dumps(self.history.__dict__), "best_score": repr(self._best_score)}
        with atomic_path(checkpoint) as temporary:
            temporary.write_bytes(
                save({name: value.detach().contiguous() for name, value in tensors.items()}, metadata)
            )

    def _load(self, checkpoint: Path) -> None:
        with safe_open(checkpoint, framework="pt") as stored:
            metadata = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
        self.module.load_state_dict(_under(tensors, "module."))
        self._average, self._best = _under(tensors, "average."), _under(tensors, "best.")
        self._optimizer.load(_under(tensors, "adam."))
        self.sampler.generator.set_state(tensors["sampler"])
        self.history = History(**json.loads(metadata["history"]))
        self._best_score = float(metadata["best_score"])
        LOGGER.info("resumed after epoch %d from %s", len(self.history.loss), checkpoint)


def training_device() -> torch.device:
    """Return the first CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _gradient_norm(gradients: Iterable[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    return norm
