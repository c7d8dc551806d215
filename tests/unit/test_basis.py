"""Principal axes against a decomposition of the whole matrix."""

import numpy as np
import pytest

from smec.basis import principal_axes, second_moment


def sample(rows=200, width=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, width)) * np.arange(width, 0, -1) + 0.5).astype(np.float32)


@pytest.mark.parametrize("center", [False, True])
def test_moment_equals_numpy_and_does_not_depend_on_the_block(center):
    vectors = sample().astype(np.float64)
    expected = np.cov(vectors.T, bias=True) if center else vectors.T @ vectors / len(vectors)
    for block_rows in (1, 7, 200, 10_000):
        mean, moment = second_moment(sample(), center, block_rows)
        assert mean == pytest.approx(vectors.mean(0) if center else np.zeros(6), abs=1e-6)
        assert moment == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("center", [False, True])
def test_axes_equal_singular_vectors_up_to_their_fixed_sign(center):
    axes, variances, mean = principal_axes(sample(), center)
    _, lengths, expected = np.linalg.svd(sample().astype(np.float64) - mean, full_matrices=False)
    assert np.abs((axes * expected).sum(1)) == pytest.approx(1, abs=1e-5)
    assert variances == pytest.approx(lengths**2 / len(sample()), rel=1e-5)
    assert (axes[np.arange(6), np.abs(axes).argmax(1)] > 0).all()
    assert axes @ axes.T == pytest.approx(np.eye(6), abs=1e-5)
    assert axes.dtype == np.float32


def test_axes_equal_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    expected = decomposition.PCA().fit(sample())
    axes, variances, mean = principal_axes(sample(), center=True)
    assert np.abs((axes * expected.components_).sum(1)) == pytest.approx(1, abs=1e-5)
    assert mean == pytest.approx(expected.mean_, abs=1e-5)
    assert variances * 200 / 199 == pytest.approx(expected.explained_variance_, rel=1e-4)


def test_order_of_the_rows_does_not_matter():
    shuffled = np.random.default_rng(1).permutation(sample())
    assert principal_axes(shuffled)[0] == pytest.approx(principal_axes(sample())[0], abs=1e-4)


@pytest.mark.parametrize("rows", [1, 2])
def test_fewer_rows_than_dimensions_still_give_a_whole_orthonormal_basis(rows):
    axes, variances, _ = principal_axes(sample(rows))
    assert axes @ axes.T == pytest.approx(np.eye(6), abs=1e-5)
    assert (variances >= 0).all() and (variances[rows:] < 1e-4).all()
