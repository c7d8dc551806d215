"""ADS: the hard choice forward, the soft one backward, and the rules beside it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from smec.selection import AdaptiveSelection, fixed_selection, selection_entropy


def test_mask_has_exactly_k_ones_under_noise():
    selection = AdaptiveSelection(torch.zeros(20), [7])
    generator = torch.Generator().manual_seed(0)
    masks = torch.stack([selection(0.5, generator)[0] for _ in range(50)])
    assert torch.equal(masks.detach().round(), masks.detach().round().clamp(0, 1))
    assert (masks.detach().round().sum(1) == 7).all()
    assert masks.detach().round().mean(0).std() > 0, "noise must vary the choice"


def test_zero_temperature_is_the_hard_top_k():
    importance = torch.tensor([0.1, 3.0, -1.0, 2.0])
    selection = AdaptiveSelection(importance, [2, 3])
    assert selection(0.0).tolist() == [[0, 1, 0, 1], [1, 1, 0, 1]]
    assert selection.order().tolist() == [1, 3, 0, 2]


def test_straight_through_gradient_reaches_dimensions_outside_the_selection():
    selection = AdaptiveSelection(torch.tensor([2.0, 1.0, 0.0, -1.0]), [2])
    mask = selection(1.0, torch.Generator().manual_seed(0))
    (mask * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert (selection.importance.grad != 0).all()


def test_gradient_equals_that_of_the_softmax_by_hand():
    selection = AdaptiveSelection(torch.tensor([0.5, -0.5, 0.2]), [1])
    direction = torch.tensor([1.0, -2.0, 0.5])
    (selection(1.0, torch.Generator().manual_seed(3)) * direction).sum().backward()
    uniform = torch.rand(3, generator=torch.Generator().manual_seed(3))
    z = torch.softmax(selection.importance.detach() - torch.log(-torch.log(uniform)), 0)
    assert selection.importance.grad == pytest.approx(z * (direction - (z * direction).sum()), rel=1e-4)


def test_smaller_selections_lie_in_larger_ones_under_any_noise():
    selection = AdaptiveSelection(torch.zeros(20), [12, 7, 1])
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        masks = selection(1.0, generator).detach().round()
        assert masks.sum(1).tolist() == [12, 7, 1]
        assert (masks[0] >= masks[1]).all() and (masks[1] >= masks[2]).all()


def test_read_literally_the_choice_does_not_depend_on_the_temperature():
    importance = torch.linspace(0, 3, 20)

    def choices(literal, temperature):
        selection, generator = AdaptiveSelection(importance, [7], literal), torch.Generator().manual_seed(0)
        return torch.stack([selection(temperature, generator)[0] for _ in range(40)]).detach().round()

    assert torch.equal(choices(True, 1.0), choices(True, 0.01))
    cold = choices(False, 0.01)
    assert torch.equal(cold, cold[:1].expand_as(cold)), "weighted, a low temperature leaves the noise no say"
    assert torch.equal(choices(True, 1.0), choices(False, 1.0)), "at 1 both are the same"


def test_equal_importance_keeps_the_first_dimensions():
    assert AdaptiveSelection(torch.zeros(5), [2]).order().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("keep", [0, 6])
def test_impossible_sizes_are_refused(keep):
    with pytest.raises(ValueError, match="of 5 dimensions"):
        AdaptiveSelection(torch.zeros(5), [3, keep])


def test_entropy_is_one_without_preference_and_zero_when_decided():
    assert selection_entropy(np.zeros(40), 10, draws=4096) == pytest.approx(1.0, abs=0.01)
    assert selection_entropy(np.where(np.arange(40) < 10, 50.0, 0.0), 10) == pytest.approx(0.0, abs=1e-6)
    assert selection_entropy(np.zeros(4), 4) == 0.0


def outputs():
    queries = np.array([[1.0, 0.0, 0.5], [1.0, 0.0, -0.5]], np.float32)
    positives = np.array([[0.2, 9.0, 0.9], [0.2, 9.0, -0.9]], np.float32)
    negatives = np.array([[0.1, 9.0, -0.9], [0.1, 9.0, 0.9]], np.float32)
    documents = np.array([[0.0, 1.0, 0.1], [0.0, 3.0, 0.2], [0.1, 5.0, 0.3]], np.float32)
    margins = queries * (positives - negatives)
    return SimpleNamespace(
        width=3,
        variance=lambda: documents.var(axis=0, dtype=np.float64),
        contribution=lambda: margins.mean(axis=0, dtype=np.float64),
    )


@pytest.mark.parametrize(("rule", "expected"), [("truncation", [0, 1]), ("variance", [1, 2]), ("contribution", [2, 0])])
def test_fixed_rules_by_hand(rule, expected):
    assert fixed_selection(rule, 2, outputs(), seed=0).tolist() == expected


def test_random_rule_follows_its_seed():
    wide = SimpleNamespace(width=60)
    choices = [fixed_selection("random", 10, wide, seed=seed).tolist() for seed in (0, 0, 1)]
    assert choices[0] == choices[1] != choices[2]


def test_ads_is_no_fixed_rule():
    with pytest.raises(ValueError, match="'ads'"):
        fixed_selection("ads", 2, outputs(), seed=0)
