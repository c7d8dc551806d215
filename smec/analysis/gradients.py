"""Size and variance of gradients by ranges of output dimensions (SMEC, the figure of gradients, MiniLM: D = 384).

With D the backbone's width and a row of the map per output dimension, for the gradient of one step:

- size of a range: mean absolute value of the entries of its rows; low [0, D/4), high [D/4, D/2);
- variance: that of all entries of the rows [0, D/2), as a population.

An epoch's value is the mean over its steps. The paper gives neither definition. The `net` values are those of the mean
gradient of all steps of the epoch, in which what differs from batch to batch cancels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]


class Gradients(NamedTuple):
    """Mean sizes of the rows [0, D/4) and [D/4, D/2), and the variance over the rows [0, D/2)."""

    low: float
    high: float
    variance: float


class Ratios(NamedTuple):
    """MRL's variance over SMRL's, and the size of the low rows over that of the high ones in each."""

    variance: float
    mrl: float
    smrl: float


def gradients_of(gradient: Matrix, width: int) -> Gradients:
    """Measure one gradient.

    Args:
        gradient: float (d, M), d at least D/2: a row per output dimension.
        width: D.

    Raises:
        ValueError: D is below 4, or the gradient has fewer than D/2 rows.
    """
    quarter, half = width // 4, width // 2
    if quarter < 1 or len(gradient) < half:
        raise ValueError(f"a gradient of {len(gradient)} rows has no ranges of a width of {width}")
    shared = np.asarray(gradient[:half], dtype=np.float64)
    size = np.abs(shared)
    return Gradients(float(size[:quarter].mean()), float(size[quarter:].mean()), float(shared.var()))


class EpochGradients:
    """The gradients of the steps of one epoch."""

    def __init__(self, width: int) -> None:
        """Start with none; `width` is D."""
        self.steps = 0
        self._width = width
        self._measured = np.zeros(len(Gradients._fields))
        self._sum: NDArray[np.float64] | None = None

    def add(self, gradient: Matrix) -> None:
        """Take in the gradient of one step, float (d, M)."""
        self._measured += gradients_of(gradient, self._width)
        shared = np.asarray(gradient[: self._width // 2], dtype=np.float64)
        self._sum = shared.copy() if self._sum is None else self._sum + shared
        self.steps += 1

    def mean(self) -> Gradients:
        """Return the mean over the steps of what each one measures.

        Raises:
            ValueError: there was no step.
        """
        if self._sum is None:
            raise ValueError("an epoch without a step has no gradient")
        return Gradients(*(self._measured / self.steps).tolist())

    def net(self) -> Gradients:
        """Measure the mean gradient of all steps.

        Raises:
            ValueError: there was no step.
        """
        if self._sum is None:
            raise ValueError("an epoch without a step has no gradient")
        return gradients_of(self._sum / self.steps, self._width)


def expected_ratios(mrl: Sequence[int], smrl: Sequence[int], width: int) -> Ratios:
    """Return the ratios that `1 / delta(d)^2` alone would give.

    The gradient of the loss at d dimensions is proportional to `1 / delta(d)^2`, delta(d) being the length of the
    first d outputs (SMEC, why SMRL). For unit outputs spread evenly over D dimensions that is D/d, for every row below
    d. Where all levels pull a row the same way, its gradient is proportional to the sum over the levels above it.

    Args:
        mrl: sizes whose losses the parallel map adds up.
        smrl: those of the first stage.
        width: D.

    >>> ratios = expected_ratios([8, 4, 2], [8, 4], width=8)
    >>> round(ratios.variance, 3), round(ratios.mrl, 3), ratios.smrl
    (3.222, 2.333, 1.0)
    """
    quarter, half = width // 4, width // 2
    pulls = [_pull(levels, width)[:half] for levels in (mrl, smrl)]
    low_over_high = [float(pull[:quarter].mean() / pull[quarter:].mean()) for pull in pulls]
    variance = float(np.square(pulls[0]).mean() / np.square(pulls[1]).mean())
    return Ratios(variance, *low_over_high)


def _pull(levels: Sequence[int], width: int) -> NDArray[np.float64]:
    """Return float64 (D,): for each row the sum of D/d over the levels d that read it."""
    rows = np.arange(width)[:, None]
    shares = width / np.array(levels, dtype=np.float64)
    pull: NDArray[np.float64] = np.where(rows < np.array(levels), shares, 0.0).sum(axis=1)
    return pull
