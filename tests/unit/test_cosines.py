"""Cosines at several sizes at once: the same numbers and gradients as one size at a time, by unit vectors."""

import pytest
import torch
from torch.nn import functional

from smec.cosines import cosines, level_cosines

WIDTH = 12


def outputs(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, WIDTH, generator=generator, dtype=torch.float64).requires_grad_()


def plain(queries, documents, factor):
    return functional.normalize(queries * factor) @ functional.normalize(documents * factor).T


def factor_of(level):
    return (torch.arange(WIDTH) < level).double() if isinstance(level, int) else level


def learned_factor():
    hard = torch.zeros(WIDTH, dtype=torch.float64).index_fill(0, torch.tensor([0, 3, 4, 9]), 1.0)
    return (hard + torch.linspace(0, 0.1, WIDTH, dtype=torch.float64)).requires_grad_()


@pytest.mark.parametrize("levels", [[12], [5], [12, 6, 3], [3, 12, 3], [12, "factor"], ["factor"], ["factor", 1]])
@pytest.mark.parametrize("wanted", [False, True])
def test_equals_one_level_at_a_time_with_gradients(levels, wanted):
    queries, documents, factor = outputs(5, 0), outputs(7, 1), learned_factor()
    levels = [factor if level == "factor" else level for level in levels]
    place = torch.tensor([[0, 6], [1, 1], [2, 0], [6, 5], [4, 3]]) if wanted else None
    expected = torch.stack([plain(queries, documents, factor_of(level)) for level in levels])
    if place is not None:
        expected = torch.stack([scores.gather(1, place) for scores in expected])
    found = level_cosines(queries, documents, levels, place)
    torch.testing.assert_close(found, expected)
    inputs = [queries, documents] + [level for level in levels if isinstance(level, torch.Tensor)]
    downstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(
        torch.autograd.grad((found * downstream).sum(), inputs),
        torch.autograd.grad((expected * downstream).sum(), inputs),
    )


def test_of_whole_vectors():
    queries, documents = outputs(5, 0), outputs(7, 1)
    torch.testing.assert_close(cosines(queries, documents), plain(queries, documents, 1.0))


@pytest.mark.parametrize("levels", [[WIDTH], [torch.zeros(WIDTH, dtype=torch.float64)]])
def test_a_zero_vector_has_cosine_zero_and_a_finite_gradient(levels):
    queries, documents = torch.zeros(2, WIDTH, dtype=torch.float64, requires_grad=True), outputs(3, 1)
    scores = level_cosines(queries, documents, levels)
    assert (scores == 0).all()
    (gradient,) = torch.autograd.grad(scores.sum(), queries)
    assert gradient.isfinite().all()
