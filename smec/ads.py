"""ADS over a run of training: where the importance starts, how the noise falls, whether the selection commits."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smec.linear import normalized
from smec.options import AdsOptions
from smec.row_blocks import column_variance, row_blocks, through
from smec.selection import COMMITTED_ENTROPY, AdaptiveSelection, selection_entropy
from smec.training_data import TrainingData

SMALLEST_DEVIATION = 1e-6
"""Log-variances that differ less than this count as equal."""

SETTLED_SHARE = 0.8
"""Share of a run's epochs after which a selection is expected to stay as it is."""

SETTLED_CHANGE = 0.05
"""Share of the kept dimensions that may still change in one of those last epochs without a warning."""

IMPORTANCE = "adaptive.importance"
"""Name of the importance among the parameters of a module that has an `AdaptiveSelection` as `adaptive`."""


def adaptive_selection(
    options: AdsOptions, data: TrainingData, rows: NDArray[np.float32], keeps: tuple[int, ...]
) -> AdaptiveSelection:
    """Return the selection among the outputs of a map as it stands before training.

    Args:
        options: where the importance starts, and how the noise is read.
        data: the documents that the start looks at.
        rows: float32 (d, M), the map.
        keeps: how many of the d rows are selected, one number per size.
    """
    variance = column_variance(map(normalized, through(row_blocks(data.documents), rows)))
    spread = np.log(np.maximum(variance, np.finfo(np.float32).tiny))
    standardised = (spread - spread.mean()) / max(float(spread.std()), SMALLEST_DEVIATION)
    importance = torch.from_numpy((options.importance_start * standardised).astype(np.float32))
    return AdaptiveSelection(importance, keeps, literal=options.gumbel_reading == "literal")


def temperature_at(options: AdsOptions, done: float) -> float:
    """Return the temperature after the share `done` of a run."""
    return annealed(options.gumbel_temperature, options.final_gumbel_temperature, done)


def annealed(start: float, end: float, done: float) -> float:
    """Return the temperature after the share `done` of a stage: geometric from `start` to `end`; 0 stays 0."""
    return 0.0 if start == 0 or end == 0 else float(start * (end / start) ** done)


class SelectionTrace:
    """How a selection develops, epoch by epoch; numbers are means over the sizes that are selected."""

    def __init__(self, adaptive: AdaptiveSelection | None, options: AdsOptions) -> None:
        """Follow a selection, None for a fixed one; its entropy is that under the noise at the end of the run."""
        self._adaptive = adaptive
        # Read literally, the temperature divides the noise as well: which dimensions are sampled does not depend on it.
        self._temperature = 1.0 if options.gumbel_reading == "literal" else options.final_gumbel_temperature
        self._last = None if adaptive is None else adaptive.order()

    def observe(self) -> dict[str, Any]:
        """Return the share of kept dimensions that changed since the last call, and the entropy of the choice."""
        if self._adaptive is None or self._last is None:
            return {"changed": 0.0, "entropy": 0.0}
        order, keeps = self._adaptive.order(), self._adaptive.keeps
        changed = [1.0 - float(torch.isin(order[:k], self._last[:k]).float().mean()) for k in keeps]
        self._last = order
        importance = self._adaptive.importance.detach().cpu().numpy()
        entropies = [selection_entropy(importance, keep, self._temperature) for keep in keeps]
        return {"changed": float(np.mean(changed)), "entropy": float(np.mean(entropies))}


def commitment_warnings(notes: list[dict[str, Any]]) -> list[str]:
    """Say so when the selection that is kept is still undecided, or still changed shortly before.

    Args:
        notes: per epoch, the start first and the epoch that is kept last: `entropy` in [0, 1] and `changed`, the share
            of dimensions that changed.
    """
    warnings = []
    if notes and notes[-1]["entropy"] > COMMITTED_ENTROPY:
        warnings.append(
            f"the selection never commits: entropy {notes[-1]['entropy']:.2f} of 1 in the epoch that is kept "
            f"(committed: below {COMMITTED_ENTROPY}); lower `gumbel_temperature` or raise `importance_learning_rate`"
        )
    late = late_change(notes)
    if late is not None and late > SETTLED_CHANGE:
        warnings.append(
            f"the selection still changes: {late:.0%} of the kept dimensions in an epoch close to the one that is kept"
        )
    return warnings


def late_change(notes: list[dict[str, Any]]) -> float | None:
    """Return the largest share of the dimensions that changed in one of the last epochs of `notes`.

    None where there are too few of them for one to be late, as where the first epoch is the one that is kept: whether
    the selection would have settled is not known then.
    """
    late = [float(note["changed"]) for note in notes[math.ceil(SETTLED_SHARE * len(notes)) :]]
    return max(late, default=None)
