"""Taking only the pairs that count changes no loss and no gradient, whichever way they are taken."""

import pytest
import torch

from smec.cosines import level_cosines
from smec.counted_pairs import counted_cosines, without_ignored
from smec.losses import SUPERVISED_LOSSES

QUERIES, DOCUMENTS, WIDTH = 6, 64, 12


def relevance_of(own, shared):
    """Grades where each query counts `own` documents of its own and all count the last `shared` ones."""
    generator = torch.Generator().manual_seed(own)
    relevance = torch.full((QUERIES, DOCUMENTS), -1.0)
    for row in relevance[1:]:  # the first query counts what is shared alone
        row[torch.randperm(DOCUMENTS - shared, generator=generator)[:own]] = 0.0
        row[(row == 0).nonzero()[:2]] = 2.0
    relevance[:, DOCUMENTS - shared :] = 0.0
    if shared:
        relevance[2, -1] = -1.0  # such as the document that a query is itself
    return relevance


def losses_of(scores_of, name):
    generator = torch.Generator().manual_seed(3)
    queries = torch.randn(QUERIES, WIDTH, generator=generator, dtype=torch.float64).requires_grad_()
    documents = torch.randn(DOCUMENTS, WIDTH, generator=generator, dtype=torch.float64).requires_grad_()
    factor = torch.rand(WIDTH, generator=generator, dtype=torch.float64).requires_grad_()
    scores, grades = scores_of(queries, documents, [WIDTH, 5, factor])
    loss = SUPERVISED_LOSSES[name](scores, grades, 0.5)
    return scores.shape, loss.detach(), torch.autograd.grad(loss.sum(), [queries, documents, factor], allow_unused=True)


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
@pytest.mark.parametrize(
    ("own", "shared", "width"), [(4, 10, 14), (4, 0, 4), (0, 10, 10), (20, 10, 30), (54, 10, 64), (0, 64, 64)]
)
def test_the_loss_and_its_gradients_are_those_of_all_pairs(name, own, shared, width):
    relevance = relevance_of(own, shared)
    whole = losses_of(lambda q, d, levels: (level_cosines(q, d, levels), relevance), name)
    found = losses_of(lambda q, d, levels: counted_cosines(q, d, relevance, levels), name)
    assert found[0] == (3, QUERIES, width)
    torch.testing.assert_close(found[1:], whole[1:])


def test_cosines_and_grades_belong_to_the_same_pairs():
    relevance = torch.full((2, 40), -1.0)
    relevance[0, [3, 17]] = torch.tensor([1.0, 0.0])
    relevance[1, 5] = 2.0
    documents = torch.nn.functional.normalize(torch.randn(40, WIDTH, generator=torch.Generator().manual_seed(0)))
    scores, grades = counted_cosines(documents[:2], documents, relevance, [WIDTH])
    assert grades.tolist() == [[1.0, 0.0], [2.0, -1.0]]
    torch.testing.assert_close(scores[0, 0], documents[0] @ documents[[3, 17]].T)
    torch.testing.assert_close(scores[0, 1, 0], documents[1] @ documents[5])


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
def test_leaving_out_what_is_ignored_changes_no_loss_and_no_gradient(name):
    relevance = torch.randint(-1, 3, (6, 40), generator=torch.Generator().manual_seed(0)).float()
    relevance[0] = -1.0
    relevance[1:, :25] = -1.0
    results = []
    for change in (lambda *tables: tables, without_ignored):
        scores = torch.randn(2, 6, 40, generator=torch.Generator().manual_seed(1), requires_grad=True)
        changed, grades = change(scores, relevance)
        loss = SUPERVISED_LOSSES[name](changed, grades, 0.5)
        loss.sum().backward()
        results.append((changed.shape, loss.detach(), scores.grad))
    assert results[0][0] == (2, 6, 40) and results[1][0][-1] <= 15
    assert torch.allclose(results[0][1], results[1][1]) and torch.allclose(results[0][2], results[1][2], atol=1e-7)
    assert (results[0][1] > 0).all()
