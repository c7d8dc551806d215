"""The Pareto front and the cheapest setting, by hand."""

import numpy as np
import pytest

from smec.analysis.pareto import cheapest, pareto_front

COSTS = np.array([8.0, 4.0, 4.0, 2.0, 16.0, 8.0, 1.0])
QUALITIES = np.array([0.7, 0.5, 0.6, 0.6, 0.7, 0.7, 0.1])


def test_front_by_hand():
    # 4 bytes give no more than 2 do, 16 no more than 8; both settings of 8 bytes are equally good
    assert pareto_front(COSTS, QUALITIES).tolist() == [True, False, False, True, False, True, True]


def test_front_is_what_nothing_beats():
    rng = np.random.default_rng(0)
    costs, qualities = rng.integers(1, 8, 60).astype(float), rng.integers(1, 8, 60).astype(float)
    no_worse = (costs[:, None] <= costs) & (qualities[:, None] >= qualities)
    better = (costs[:, None] < costs) | (qualities[:, None] > qualities)
    assert np.array_equal(pareto_front(costs, qualities), ~(no_worse & better).any(axis=0))


@pytest.mark.parametrize(("at_least", "expected"), [(0.05, 6), (0.55, 3), (0.65, 0), (0.8, None)])
def test_cheapest_by_hand(at_least, expected):
    assert cheapest(COSTS, QUALITIES, at_least) == expected


def test_of_equal_cost_the_best():
    assert cheapest(np.array([4.0, 4.0]), np.array([0.5, 0.6]), 0.4) == 1
