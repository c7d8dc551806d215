"""Each loss against a value worked by hand, and at its degenerate sizes."""

import math

import pytest
import torch

from smec.losses import (
    SUPERVISED_LOSSES,
    cross_entropy,
    hinge_loss,
    info_nce,
    mean_squared_error,
    nt_xent,
    rank_loss,
    similarity_loss,
)

SCORES = torch.tensor([[0.9, 0.1, 0.4], [0.2, 0.8, 0.5]])
RELEVANCE = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 1.0]])


def log1p_exp(x):
    return math.log1p(math.exp(x))


def test_rank_loss_by_hand():
    first = (log1p_exp(0.1 - 0.9) + log1p_exp(0.4 - 0.9)) / 2
    second = (2 * log1p_exp(0.2 - 0.8) + 1 * log1p_exp(0.5 - 0.8) + 1 * log1p_exp(0.2 - 0.5)) / 3
    assert rank_loss(SCORES, RELEVANCE).item() == pytest.approx((first + second) / 2)


def test_rank_loss_divides_the_margin_by_the_temperature():
    scores, relevance = torch.tensor([[0.5, 0.3]]), torch.tensor([[1.0, 0.0]])
    assert rank_loss(scores, relevance, 0.1).item() == pytest.approx(log1p_exp(-2.0))


def test_hinge_loss_by_hand():
    first = ((0.6 - 0.8) * 0 + (0.6 - 0.5)) / 2
    second = ((0.6 - 0.6) + (0.6 - 0.3) + (0.6 - 0.3)) / 3
    assert hinge_loss(SCORES, RELEVANCE, 0.6).item() == pytest.approx((first + second) / 2)
    assert hinge_loss(SCORES, RELEVANCE, 0.25).item() == 0


def test_hinge_loss_pulls_at_a_pair_only_until_it_meets_the_margin():
    scores = torch.tensor([[0.9, 0.5, 0.7, 0.8]], requires_grad=True)
    loss = hinge_loss(scores, torch.tensor([[1.0, 0.0, 0.0, -1.0]]), 0.3)
    assert loss.item() == pytest.approx(0.1 / 2), "two pairs count, one of them is met, the ignored one is none"
    loss.backward()
    assert scores.grad.tolist() == [[-0.5, 0.0, 0.5, 0.0]]


def test_nt_xent_by_hand():
    """Two views of two items: in the first view they are at right angles, in the second 60 degrees apart."""
    half, root = 0.5, math.sqrt(0.75)
    views = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [half, root]]])
    cosine = {  # of (view, item) with (view, item)
        ("1a", "1b"): 0.0,
        ("1a", "2a"): 1.0,
        ("1a", "2b"): half,
        ("1b", "2a"): 0.0,
        ("1b", "2b"): root,
        ("2a", "2b"): half,
    }
    cosine |= {(right, left): value for (left, right), value in cosine.items()}

    def of(anchor, positive, negatives):
        e = {other: math.exp(cosine[anchor, other] / 0.5) for other in (positive, *negatives)}
        return -math.log(e[positive] / sum(e.values()))

    expected = [
        of("1a", "2a", ("1b", "2b")),
        of("2a", "1a", ("1b", "2b")),
        of("1b", "2b", ("1a", "2a")),
        of("2b", "1b", ("1a", "2a")),
    ]
    assert nt_xent(views, 0.5).item() == pytest.approx(sum(expected) / 4, rel=1e-6)


def test_nt_xent_of_two_views_equals_the_usual_form():
    """With two views, torch's cross-entropy over all others with the other view as the target."""
    views = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    unit = torch.nn.functional.normalize(views, dim=2).flatten(0, 1)
    logits = (unit @ unit.T / 0.07).fill_diagonal_(-torch.inf)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([5, 6, 7, 8, 9, 0, 1, 2, 3, 4]))
    assert nt_xent(views, 0.07).item() == pytest.approx(expected.item(), rel=1e-5)


def test_nt_xent_of_one_item_is_zero_with_a_gradient_of_zero():
    views = torch.randn(3, 1, 4, requires_grad=True)
    loss = nt_xent(views, 0.07)
    loss.backward()
    assert loss.item() == 0 and (views.grad == 0).all()


def test_info_nce_by_hand():
    e = [[math.exp(s / 0.5) for s in row] for row in SCORES.tolist()]
    first = -math.log(e[0][0] / sum(e[0]))
    second = -(math.log(e[1][1] / (e[1][1] + e[1][0])) + math.log(e[1][2] / (e[1][2] + e[1][0]))) / 2
    assert info_nce(SCORES, RELEVANCE, 0.5).item() == pytest.approx((first + second) / 2, rel=1e-6)


def test_info_nce_equals_torch_cross_entropy_with_one_relevant_document_each():
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.cross_entropy(scores / 0.05, torch.arange(6))
    assert info_nce(scores, torch.eye(6), 0.05).item() == pytest.approx(expected.item(), rel=1e-6)


def test_mean_squared_error_by_hand():
    relevant = (0.1**2 + 0.2**2 + 0.5**2) / 3
    others = (0.1**2 + 0.4**2 + 0.2**2) / 3
    assert mean_squared_error(SCORES, RELEVANCE).item() == pytest.approx(relevant + others)


def test_cross_entropy_by_hand():
    relevant = sum(log1p_exp(-s / 0.5) for s in (0.9, 0.8, 0.5)) / 3
    others = sum(log1p_exp(s / 0.5) for s in (0.1, 0.4, 0.2)) / 3
    assert cross_entropy(SCORES, RELEVANCE, 0.5).item() == pytest.approx(relevant + others)


def test_similarity_loss_by_hand():
    frozen, compressed = torch.tensor([[0.5, 0.2], [0.3, 0.3]]), torch.tensor([[0.4, 0.5], [0.3, 0.1]])
    assert similarity_loss(frozen, compressed).item() == pytest.approx((0.1 + 0.3 + 0.2) / 2)


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
def test_ignored_pairs_do_not_count(name):
    loss = SUPERVISED_LOSSES[name]
    extra = torch.cat([SCORES, torch.tensor([[5.0], [-3.0]])], dim=1)
    ignored = torch.cat([RELEVANCE, torch.full((2, 1), -1.0)], dim=1)
    assert loss(extra, ignored, 0.3).item() == pytest.approx(loss(SCORES, RELEVANCE, 0.3).item(), rel=1e-6)


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
def test_sizes_side_by_side_have_the_losses_of_each_alone(name):
    scores = torch.stack([SCORES, SCORES.flip(1), 0.3 * SCORES])
    expected = [SUPERVISED_LOSSES[name](level, RELEVANCE, 0.5).item() for level in scores]
    assert SUPERVISED_LOSSES[name](scores, RELEVANCE, 0.5).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
@pytest.mark.parametrize(
    "relevance",
    [torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([[1.0, 0, 0], [0, 0, 0]])],
    ids=["none", "all", "one"],
)
def test_degenerate_batches_give_a_finite_loss_and_gradient(name, relevance):
    scores = SCORES.clone().requires_grad_()
    loss = SUPERVISED_LOSSES[name](scores, relevance, 0.1)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
def test_order_of_documents_and_queries_does_not_matter(name):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 7, generator=generator)
    relevance = (torch.rand(5, 7, generator=generator) > 0.7).float()
    rows, columns = torch.randperm(5, generator=generator), torch.randperm(7, generator=generator)
    loss = SUPERVISED_LOSSES[name]
    shuffled = loss(scores[rows][:, columns], relevance[rows][:, columns], 0.3)
    assert shuffled.item() == pytest.approx(loss(scores, relevance, 0.3).item(), rel=1e-5)


@pytest.mark.parametrize("name", SUPERVISED_LOSSES)
def test_raising_the_score_of_a_relevant_document_lowers_the_loss(name):
    better = SCORES.clone()
    better[0, 0] += 0.05
    loss = SUPERVISED_LOSSES[name]
    assert loss(better, RELEVANCE, 0.9) < loss(SCORES, RELEVANCE, 0.9)
