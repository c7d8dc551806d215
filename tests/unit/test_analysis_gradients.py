"""Gradient sizes by hand, and intervals over seeds."""

import numpy as np
import pytest

from smec.analysis.gradients import EpochGradients, expected_ratios, gradients_of
from smec.analysis.seeds import mean_over_seeds, ratio_over_seeds

FIRST = np.array([[4.0, -2.0], [1.0, 3.0], [100.0, 100.0], [100.0, 100.0]])
"""D = 4: the low range is row 0, the high one row 1, rows 2 and 3 do not count."""
SECOND = np.array([[-4.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])


def test_ranges_and_variance_by_hand():
    low, high, variance = gradients_of(FIRST, width=4)
    assert (low, high) == (3.0, 2.0)
    assert variance == pytest.approx((16 + 4 + 1 + 9) / 4 - 1.5**2)  # mean square minus squared mean


def test_a_map_with_fewer_rows_than_the_ranges_is_refused():
    with pytest.raises(ValueError, match="1 rows"):
        gradients_of(FIRST[:1], width=4)


def test_an_epoch_is_the_mean_of_its_steps_and_net_cancels_what_changes_sign():
    epoch = EpochGradients(width=4)
    epoch.add(FIRST)
    epoch.add(SECOND)
    assert epoch.steps == 2
    assert epoch.mean()[:2] == (3.0, 1.5)
    assert epoch.mean().variance == pytest.approx((gradients_of(FIRST, 4)[2] + gradients_of(SECOND, 4)[2]) / 2)
    assert epoch.net() == gradients_of((FIRST + SECOND) / 2, width=4)
    assert epoch.net().low == 0.0


def test_an_epoch_keeps_no_view_of_a_gradient_that_is_written_over():
    epoch, gradient = EpochGradients(width=4), FIRST.astype(np.float32)
    epoch.add(gradient)
    gradient[:] = 0
    assert epoch.net().low == 3.0


def test_an_epoch_without_steps_has_no_gradient():
    with pytest.raises(ValueError, match="without a step"):
        EpochGradients(width=4).mean()


def test_expected_ratios_by_hand():
    # Rows 0, 1: 8/8 + 8/4 + 8/2 = 7; rows 2, 3: 8/8 + 8/4 = 3; the first stage has 3 in all of them.
    variance, mrl, smrl = expected_ratios([8, 4, 2], [8, 4], width=8)
    assert variance == pytest.approx((7**2 + 3**2) / 2 / 3**2)
    assert mrl == pytest.approx(7 / 3)
    assert smrl == 1.0


def test_the_same_levels_are_expected_to_differ_in_nothing():
    assert expected_ratios([8, 4], [8, 4], width=8) == (1.0, 1.0, 1.0)


def test_an_interval_over_seeds_by_hand():
    # Mean 2, standard deviation 1, three seeds: t at 97.5 % with two degrees of freedom is 4.30265.
    value, low, high = mean_over_seeds([1.0, 2.0, 3.0])
    assert value == 2.0
    assert high - value == pytest.approx(4.30265 / 3**0.5, abs=1e-4)
    assert value - low == pytest.approx(high - value)


def test_one_seed_has_no_interval():
    value, low, high = mean_over_seeds([0.5])
    assert value == 0.5 and np.isnan([low, high]).all()


def test_a_ratio_and_its_inverse_say_the_same():
    there, back = ratio_over_seeds([0.5, 2.0, 3.0]), ratio_over_seeds([2.0, 0.5, 1 / 3])
    assert there.value == pytest.approx(3.0 ** (1 / 3))
    assert [1 / there.value, 1 / there.high, 1 / there.low] == pytest.approx([back.value, back.low, back.high])


@pytest.mark.parametrize("broken", [[1.0, 0.0], [1.0, np.inf], [np.nan, 1.0]])
def test_a_ratio_that_does_not_exist_is_nan(broken):
    assert np.isnan(ratio_over_seeds(broken)).all()
