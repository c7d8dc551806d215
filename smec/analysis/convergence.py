"""How long training takes: epochs until a curve has converged, steps until it first reaches a quality.

Between two points of a curve, which lie an epoch apart, it is taken as a straight line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Curve = NDArray[np.float64]

TOLERANCE = 0.05
"""Share of a curve's whole gain that may be missing when it counts as converged."""


@dataclass(frozen=True)
class Fit:
    """One fit: a stage of a chain, or a parallel map.

    Attributes:
        steps: of the whole fit.
        kept: steps up to the weights that were kept.
        done: float64 (E + 1,), steps done at each point of the curves; the start first.
        quality: for each size that the fit serves, float64 (E + 1,), higher is better.
    """

    steps: float
    kept: float
    done: Curve
    quality: Mapping[int, Curve]


def first_reached(position: ArrayLike, curve: ArrayLike, level: float) -> float:
    """Return the position where a curve first reaches `level` from below, NaN where it never does.

    Args:
        position: float (n,), ascending.
        curve: float (n,), its value there.
        level: to be reached.

    >>> first_reached([0, 10, 20], [0.5, 0.6, 0.8], 0.7)
    15.0
    """
    places, values = np.asarray(position, dtype=np.float64), np.asarray(curve, dtype=np.float64)
    reached = np.flatnonzero(values >= level)
    if reached.size == 0:
        return float("nan")
    after = int(reached[0])
    if after == 0:
        return float(places[0])
    before = after - 1
    share = (level - values[before]) / (values[after] - values[before])
    return float(places[before] + share * (places[after] - places[before]))


def epochs_to_convergence(
    epoch: ArrayLike, curve: ArrayLike, falling: bool = False, tolerance: float = TOLERANCE
) -> float:
    """Return when a curve has made all but the share `tolerance` of the gain from its start to its best value.

    Up to its best value a curve that goes up and down has converged when its best so far has. What counts as the best
    depends on how long the run was, so compare runs of equal length.

    Args:
        epoch: float (n,), ascending.
        curve: float (n,).
        falling: lower is better.
        tolerance: share of the gain.

    >>> epochs_to_convergence([0, 1, 2, 3], [8.0, 4.0, 2.0, 1.0], falling=True, tolerance=1 / 7)
    2.0
    """
    values = np.asarray(curve, dtype=np.float64) * (-1 if falling else 1)
    gain = float(values.max() - values[0])
    return first_reached(epoch, values, float(values[0]) + (1 - tolerance) * gain)


def best_quality(fits: Sequence[Fit], size: int) -> float:
    """Return the best value of a size's curve."""
    return float(_serving(fits, size)[1].quality[size].max())


def steps_to_reach(fits: Sequence[Fit], size: int, level: float, hindsight: bool = False) -> Curve:
    """Return the steps that each fit of a run takes until a size reaches a quality, float64 (fits,).

    A stage can only start when those before it have ended: they count whole, the stage that serves the size counts up
    to where it reaches the level, later ones not at all.

    Args:
        fits: in order; one for a parallel map.
        size: to be served.
        level: quality that is wanted.
        hindsight: count the stages before only up to the weights that were kept, as if one had known.

    Returns:
        NaN for the serving fit where it never reaches the level.
    """
    serving, fit = _serving(fits, size)
    spent = np.zeros(len(fits))
    spent[:serving] = [before.kept if hindsight else before.steps for before in fits[:serving]]
    spent[serving] = first_reached(fit.done, fit.quality[size], level)
    return spent


def _serving(fits: Sequence[Fit], size: int) -> tuple[int, Fit]:
    """Return the first fit that serves a size, and its place."""
    for place, fit in enumerate(fits):
        if size in fit.quality:
            return place, fit
    raise ValueError(f"no fit serves {size} dimensions")
