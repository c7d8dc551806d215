"""Times of rivals that were taken in turn: seconds of a shared machine mean little, ratios within a round hold."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


class Spread(NamedTuple):
    """The median of a measure over rounds, and the quartiles around it."""

    median: float
    low: float
    high: float


def in_turn(calls: Mapping[str, Callable[[], Sequence[float]]], rounds: int, warm_up: int = 1) -> dict[str, Seconds]:
    """Call every rival once per round, in an order that moves on by one each round, and return what they measured.

    Args:
        calls: each takes its own times and returns them, seconds.
        rounds: that count.
        warm_up: rounds before them, whose times are dropped.

    Returns:
        float64 (rounds, m) for each rival, m being how many times it returns.
    """
    names = list(calls)
    spent: dict[str, list[Sequence[float]]] = {name: [] for name in names}
    for turn in range(warm_up + rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            spent[name].append(calls[name]())
    return {name: np.array(times[warm_up:], dtype=np.float64) for name, times in spent.items()}


class Stopwatch:
    """Notes the seconds since it was started, at each `lap`."""

    def __init__(self, finish: Callable[[], object] = lambda: None) -> None:
        """Start; `finish` waits for work that a device still has."""
        self._finish = finish
        finish()
        self._began = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the start."""
        self._finish()
        return time.perf_counter() - self._began


def spread(values: Seconds) -> Spread:
    """Return median and quartiles of `values` (rounds,)."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high))


def ratios(times: Seconds, reference: Seconds) -> Spread:
    """Return median and quartiles of the ratios of two rivals (rounds,), each taken within a round."""
    return spread(times / reference)
