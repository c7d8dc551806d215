"""The loss of a batch at several sizes, and the cases where parts of it must vanish."""

from dataclasses import replace

import pytest
import torch

from smec.batches import BatchSampler
from smec.cosines import cosines
from smec.losses import SUPERVISED_LOSSES, similarity_loss
from smec.objective import MatryoshkaObjective, supervised_loss
from smec.options import SimilarityOptions
from smec.sides import Sides

CPU = torch.device("cpu")
WEIGHT = torch.randn(12, 32, generator=torch.Generator().manual_seed(0))
SHARED = Sides.shared(WEIGHT)
LEVELS = [12, 4]


def options(**own):
    quick = {"batch_size": 24, "hard_negatives": 3, "memory_size": 40, "neighbours": 5}
    return SimilarityOptions(**quick | own)


def batches(data, chosen, count=3, teacher=None):
    sampler = BatchSampler(data, chosen, 0, CPU, teacher)
    return list(sampler.epoch())[:count]


def supervised(batch, chosen):
    pairs = [((batch.queries @ WEIGHT.T)[:, :m], (batch.documents @ WEIGHT.T)[:, :m]) for m in LEVELS]
    loss = SUPERVISED_LOSSES[chosen.loss]
    scale = chosen.margin if chosen.loss == "hinge" else chosen.temperature
    return sum(loss(cosines(q, d), batch.relevance, scale) for q, d in pairs).item()


@pytest.mark.parametrize("loss", SUPERVISED_LOSSES)
def test_without_similarity_loss_it_is_the_sum_of_the_plain_losses(planted_data, loss):
    chosen = options(alpha=0.0, loss=loss)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    assert objective.memory is None
    for batch in batches(planted_data, chosen):
        assert objective(batch, SHARED, LEVELS).item() == pytest.approx(supervised(batch, chosen), rel=1e-5)


def test_an_empty_memory_adds_nothing_and_a_filled_one_does(planted_data):
    chosen = options(alpha=0.7)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    first, second, _ = batches(planted_data, chosen)
    assert objective(first, SHARED, LEVELS).item() == pytest.approx(supervised(first, chosen), rel=1e-5)
    assert int(objective.memory.filled) == 40, "queries and their relevant documents are remembered"
    assert objective(second, SHARED, LEVELS).item() > supervised(second, chosen) + 1e-3


@pytest.mark.parametrize("size", [40, 1000])
def test_similarity_loss_of_the_second_batch_by_hand(planted_data, size):
    chosen = options(alpha=1.0, memory_size=size)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    first, second, _ = batches(planted_data, chosen)
    objective(first, SHARED, LEVELS)
    added = objective(second, SHARED, LEVELS).item() - supervised(second, chosen)
    remembered = torch.cat([first.queries, first.documents[first.positive]])[-size:]
    vectors = torch.cat([second.queries, second.documents[second.positive]])
    frozen, nearest = (vectors @ remembered.T).topk(5, dim=1)
    expected = 0.0
    for m in LEVELS:
        compressed = cosines((vectors @ WEIGHT.T)[:, :m], (remembered @ WEIGHT.T)[:, :m]).gather(1, nearest)
        expected += similarity_loss(frozen, compressed).item()
    assert added == pytest.approx(expected, rel=1e-4)


def test_a_memory_of_size_zero_compares_within_the_batch(planted_data):
    chosen = options(alpha=1.0, memory_size=0)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    (batch,) = batches(planted_data, chosen, 1)
    assert objective.memory is None
    vectors = torch.cat([batch.queries, batch.documents[batch.positive]])
    similar = (vectors @ vectors.T).fill_diagonal_(-torch.inf)
    frozen, nearest = similar.topk(5, dim=1)
    outputs = vectors @ WEIGHT.T
    expected = sum(
        similarity_loss(frozen, cosines(outputs[:, :m], outputs[:, :m]).gather(1, nearest)).item() for m in LEVELS
    )
    added = objective(batch, SHARED, LEVELS).item() - supervised(batch, chosen)
    assert added == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [0, 100])
def test_similarity_across_sides_by_hand(planted_data, size):
    """Each query is compared with documents, each document with queries, and never a vector with its own side."""
    chosen = options(alpha=1.0, memory_size=size, memory_sides="other")
    objective = MatryoshkaObjective(chosen, 32, CPU)
    first, batch = batches(planted_data, chosen, 2)
    objective(first, SHARED, LEVELS)
    served = batch if size == 0 else first
    sides = [[each.queries, each.documents[each.positive]] for each in (batch, served)]
    expected = 0.0
    for m in LEVELS:
        losses = []
        for asking, stored in ((sides[0][0], sides[1][1]), (sides[0][1], sides[1][0])):
            frozen, nearest = (asking @ stored.T).topk(5, dim=1)
            compressed = cosines((asking @ WEIGHT.T)[:, :m], (stored @ WEIGHT.T)[:, :m]).gather(1, nearest)
            losses.append(similarity_loss(frozen, compressed).item())
        expected += sum(losses) / 2
    added = objective(batch, SHARED, LEVELS).item() - supervised(batch, chosen)
    assert added == pytest.approx(expected, rel=1e-4)


def test_an_orthonormal_map_at_full_width_has_no_similarity_loss(planted_data):
    chosen = options(alpha=1.0, memory_size=0)
    rotation = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(1)))[0]
    (batch,) = batches(planted_data, chosen, 1)
    with_it = MatryoshkaObjective(chosen, 32, CPU)(batch, Sides.shared(rotation), [32])
    without = MatryoshkaObjective(options(alpha=0.0), 32, CPU)(batch, Sides.shared(rotation), [32])
    assert with_it.item() == pytest.approx(without.item(), abs=1e-5)


def test_a_student_that_equals_its_teacher_has_no_distillation_loss_and_no_gradient(planted_data):
    chosen = options(alpha=0.0, distillation=3.0)
    (batch,) = batches(planted_data, chosen, 1, teacher=SHARED)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    for student, equal in ((WEIGHT, True), (WEIGHT.flip(1), False)):
        moved = student.clone().requires_grad_()
        extra = objective(batch, Sides.shared(moved), [12]) - objective(
            replace(batch, taught=None), Sides.shared(moved), [12]
        )
        (gradient,) = torch.autograd.grad(extra, moved)
        assert (abs(extra.item()) < 1e-5) == equal
        assert (gradient.abs().max().item() < 1e-4) == equal


def test_a_mask_counts_like_the_dimensions_that_it_keeps(planted_data):
    chosen = options(alpha=0.5, memory_size=0)
    (batch,) = batches(planted_data, chosen, 1)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    mask = (torch.arange(12) < 4).float()
    assert objective(batch, SHARED, [12, mask]).item() == pytest.approx(
        objective(batch, SHARED, LEVELS).item(), rel=1e-5
    )


def test_the_supervised_loss_of_outputs_ignores_their_length(planted_data):
    chosen = options()
    (batch,) = batches(planted_data, chosen, 1)
    queries, documents = batch.queries @ WEIGHT.T, batch.documents @ WEIGHT.T
    longer = supervised_loss(7 * queries, 0.1 * documents, batch, chosen).item()
    assert longer == pytest.approx(supervised_loss(queries, documents, batch, chosen).item(), rel=1e-5)
