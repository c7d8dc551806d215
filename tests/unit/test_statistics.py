"""Statistics against values worked by hand, scipy, and simulations whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from smec.errors import SmecError
from smec.statistics import bootstrap_interval, bootstrap_means, holm, paired_test, sign_flip_test


def test_equal_scores_have_no_width():
    low, high = bootstrap_interval(np.full((3, 40), 0.25))
    assert (low, high) == pytest.approx((0.25, 0.25))


def test_one_query_one_seed():
    assert bootstrap_interval(np.array([[0.3]])) == pytest.approx((0.3, 0.3))


def test_one_seed_is_the_ordinary_bootstrap():
    values = np.random.default_rng(0).random(300)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert bootstrap_interval(values[None], resamples=20_000) == pytest.approx(tuple(expected), abs=0.002)


def test_variance_of_the_bootstrap_is_that_of_both_factors():
    """Without queries' noise only seeds count: three means drawn three times, variance (1/3) of the population's."""
    per_seed = np.array([0.2, 0.3, 0.7])
    means = bootstrap_means(np.repeat(per_seed[:, None], 50, axis=1), resamples=40_000)
    assert means.var() == pytest.approx(per_seed.var() / 3, rel=0.03)
    assert means.mean() == pytest.approx(per_seed.mean(), abs=0.003)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.normal(0.5, 0.2, (1, 120)), resamples=400)
        hits += low <= 0.5 <= high
    assert 0.91 <= hits / 300 <= 0.98


def test_a_seed_that_all_queries_share_widens_the_interval():
    rng = np.random.default_rng(0)
    queries = rng.random((1, 200))
    same = bootstrap_interval(np.repeat(queries, 3, axis=0))
    lucky = bootstrap_interval(queries + np.array([[-0.1], [0.0], [0.1]]))
    assert lucky.high - lucky.low > 1.3 * (same.high - same.low)


def test_bootstrap_is_deterministic_and_paired():
    values = np.random.default_rng(0).random((3, 50))
    np.testing.assert_array_equal(bootstrap_means(values), bootstrap_means(values))
    np.testing.assert_allclose(bootstrap_means(values + 1), bootstrap_means(values) + 1)
    assert (bootstrap_means(values, seed=1) != bootstrap_means(values)).any()


def test_sign_flips_by_hand():
    """Of the 8 sign patterns of 1, 2, 3 only two reach a sum of 6; of 1, 2, -3 (sum 0) all do."""
    assert sign_flip_test(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_test(np.array([1.0, 2.0, -3.0])) == 1
    assert sign_flip_test(np.array([3.0, 2.0, -1.0])) == 4 / 8
    assert sign_flip_test(np.zeros(5)) == 1
    assert sign_flip_test(np.zeros(50)) == 1


@pytest.mark.parametrize("count", [10, 200])
def test_sign_flips_agree_with_scipy(count):
    differences = np.random.default_rng(3).normal(0.12, 1, count)
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", vectorized=True, n_resamples=9999, rng=1
    ).pvalue
    assert sign_flip_test(differences) == pytest.approx(expected, abs=0.02 if count > 13 else 1e-12)


def test_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(0)
    p = np.array([sign_flip_test(rng.normal(size=40), flips=299) for _ in range(400)])
    assert abs((p < 0.05).mean() - 0.05) < 0.03
    assert abs((p < 0.5).mean() - 0.5) < 0.08


def test_paired_test_takes_the_mean_over_seeds_first():
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 60)), rng.random((2, 60))
    assert paired_test(first, second) == sign_flip_test(first.mean(axis=0) - second.mean(axis=0))
    assert paired_test(first, first) == 1
    assert paired_test(first + 0.2, first) == 1 / 10_000


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]
    assert holm(np.array([])).tolist() == []
    assert holm(np.array([0.2])).tolist() == [0.2]


@pytest.mark.parametrize("values", [np.empty((0, 3)), np.empty((3, 0)), np.ones(4)])
def test_wrong_shapes_are_told(values):
    with pytest.raises(SmecError, match=r"\(S, n\)"):
        bootstrap_interval(values)


def test_faults_are_told():
    with pytest.raises(SmecError, match="NaN or infinite"):
        bootstrap_interval(np.array([[0.1, np.nan]]))
    with pytest.raises(SmecError, match="one method has 3 and the other 4"):
        paired_test(np.ones((1, 3)), np.ones((1, 4)))
