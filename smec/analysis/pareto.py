"""Choosing among settings that cost bytes and give quality."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def pareto_front(costs: Values, qualities: Values) -> NDArray[np.bool_]:
    """Return which of n settings are not beaten by one that costs no more and is better, or is as good and costs less.

    Of settings that are equal in both, all are on the front.

    Args:
        costs: float64 (n,), smaller is better.
        qualities: float64 (n,), larger is better.
    """
    order = np.lexsort((-qualities, costs))
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(qualities[order])[:-1]))
    ahead = qualities[order] > best_before
    front = np.zeros(len(costs), dtype=bool)
    front[order] = ahead
    equals = (costs[:, None] == costs[front]) & (qualities[:, None] == qualities[front])
    either: NDArray[np.bool_] = front | equals.any(axis=1)
    return either


def cheapest(costs: Values, qualities: Values, at_least: float) -> int | None:
    """Return the setting of least cost whose quality reaches `at_least`, the best one of equal cost, or None."""
    reached = np.flatnonzero(qualities >= at_least)
    if len(reached) == 0:
        return None
    return int(reached[np.lexsort((-qualities[reached], costs[reached]))[0]])
