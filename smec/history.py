"""What happened in a training run, epoch by epoch, as `record.json` keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXPLODING_RATIO = 1000.0
"""A gradient this many times the run's median is reported as exploding."""


@dataclass
class History:
    """What happened: one entry per epoch; validation has the start as well, as epoch 0.

    Attributes:
        loss: mean over the steps of the epoch.
        validation: nDCG@10, the mean over the sizes, by which the kept epoch is chosen.
        validation_by_size: the same of each size.
        gradient_norm: mean over the steps.
        largest_gradient_norm: over all steps.
        kept_epoch: the epoch whose weights were kept.
        steps: of the optimizer.
        epoch_seconds: wall-clock time of each epoch, without validation.
        validation_seconds: wall-clock time of all validation.
        notes: what `Trainer.observe` returned, the start first.
    """

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    validation_by_size: dict[str, list[float]] = field(default_factory=dict)
    gradient_norm: list[float] = field(default_factory=list)
    largest_gradient_norm: float = 0.0
    kept_epoch: int = 0
    steps: int = 0
    epoch_seconds: list[float] = field(default_factory=list)
    validation_seconds: float = 0.0
    notes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kept_notes(self) -> list[dict[str, Any]]:
        """The notes from the start to the epoch whose weights were kept: what came after left nothing behind."""
        return notes_up_to(self.kept_epoch, self.notes)

    def judged(self, scores: Mapping[int, float]) -> float:
        """Take note of the validation scores by size, and return their mean."""
        for size, score in scores.items():
            self.validation_by_size.setdefault(str(size), []).append(score)
        self.validation.append(sum(scores.values()) / len(scores))
        return self.validation[-1]

    def record(self) -> dict[str, Any]:
        """Return what goes into `record.json`."""
        return {
            "loss": self.loss,
            "validation_ndcg@10": self.validation,
            "validation_ndcg@10_by_size": self.validation_by_size,
            "gradient_norm": self.gradient_norm,
            "kept_epoch": self.kept_epoch,
            "steps": self.steps,
            "training_seconds": sum(self.epoch_seconds),
            "seconds_per_epoch": self.epoch_seconds,
            "validation_seconds": self.validation_seconds,
        }

    def warnings(self) -> list[str]:
        """Return what a reader of the record must know."""
        if not self.gradient_norm:
            return []
        median = sorted(self.gradient_norm)[len(self.gradient_norm) // 2]
        if self.largest_gradient_norm > EXPLODING_RATIO * max(median, 1e-12):
            return [f"exploding gradient: norm {self.largest_gradient_norm:.3g} against a median of {median:.3g}"]
        return []

    def followed_by(self, later: "History") -> "History":
        """Return the history of two runs, the second of which starts at the weights that the first one kept."""
        own = len(self.loss)
        by_size = {
            size: scores + later.validation_by_size[size][1:] for size, scores in self.validation_by_size.items()
        }
        return History(
            loss=self.loss + later.loss,
            validation=self.validation + later.validation[1:],
            validation_by_size=by_size,
            gradient_norm=self.gradient_norm + later.gradient_norm,
            largest_gradient_norm=max(self.largest_gradient_norm, later.largest_gradient_norm),
            kept_epoch=own + later.kept_epoch if later.kept_epoch else self.kept_epoch,
            steps=self.steps + later.steps,
            epoch_seconds=self.epoch_seconds + later.epoch_seconds,
            validation_seconds=self.validation_seconds + later.validation_seconds,
            notes=self.notes + later.notes[1:],
        )


def notes_up_to(epoch: int, notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the notes of the epochs 0, the start, to `epoch`."""
    return notes[: epoch + 1]
