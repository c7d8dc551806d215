"""When curves have converged, and what it takes to reach a quality, by hand."""

import numpy as np
import pytest

from smec.analysis.convergence import Fit, best_quality, epochs_to_convergence, first_reached, steps_to_reach


def fit(kept, **quality):
    """A fit of two epochs of ten steps."""
    curves = {int(size.removeprefix("at")): np.array(curve) for size, curve in quality.items()}
    return Fit(20.0, kept, np.array([0.0, 10.0, 20.0]), curves)


CHAIN = [fit(10.0, at8=[0.5, 0.7, 0.6], at4=[0.4, 0.5, 0.6]), fit(20.0, at2=[0.2, 0.3, 0.4])]


@pytest.mark.parametrize(
    ("level", "expected"),
    [(0.4, 0.0), (0.5, 0.0), (0.6, 10.0), (0.65, 12.5), (0.8, 20.0), (0.81, np.nan)],
)
def test_first_reached_by_hand(level, expected):
    assert first_reached([0, 10, 20], [0.5, 0.6, 0.8], level) == pytest.approx(expected, nan_ok=True)


def test_a_curve_that_falls_back_has_reached_it_once():
    assert first_reached([0, 1, 2, 3], [0.0, 1.0, 0.0, 2.0], 1.0) == 1.0


def test_convergence_by_hand():
    # From 10 down to 0: five per cent of the gain are missing at 0.5, which lies between epochs 2 and 3.
    assert epochs_to_convergence([0, 1, 2, 3, 4], [10, 4, 1, 0, 0], falling=True) == pytest.approx(2.5)
    assert epochs_to_convergence([0, 1, 2, 3, 4], [0, 6, 9, 10, 10]) == pytest.approx(2.5)


def test_what_comes_after_the_best_value_does_not_delay_convergence():
    assert epochs_to_convergence([0, 1, 2, 3], [0.0, 1.0, 0.2, 0.4]) == pytest.approx(0.95)


def test_a_curve_that_never_gains_has_converged_at_its_start():
    assert epochs_to_convergence([0, 1, 2], [0.5, 0.4, 0.3]) == 0.0


def test_a_chain_pays_for_the_stages_before():
    assert steps_to_reach(CHAIN, 8, 0.6).tolist() == [5.0, 0.0]
    assert steps_to_reach(CHAIN, 4, 0.55).tolist() == pytest.approx([15.0, 0.0])
    assert steps_to_reach(CHAIN, 2, 0.25).tolist() == pytest.approx([20.0, 5.0])


def test_with_hindsight_the_stages_before_end_where_their_weights_were_kept():
    assert steps_to_reach(CHAIN, 2, 0.25, hindsight=True).tolist() == pytest.approx([10.0, 5.0])


def test_a_quality_that_is_never_reached_has_no_cost():
    assert np.isnan(steps_to_reach(CHAIN, 2, 0.5)[1])


def test_the_best_quality_is_that_of_the_fit_that_serves_the_size():
    assert best_quality(CHAIN, 8) == 0.7
    assert best_quality(CHAIN, 2) == 0.4


def test_a_size_that_nothing_serves_is_refused():
    with pytest.raises(ValueError, match="16 dimensions"):
        best_quality(CHAIN, 16)
