"""The map of a stage before and while it is trained."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.errors import SmecError
from smec.options import SmrlOptions
from smec.sides import Sides
from smec.stage_map import build_stage_map

ROWS = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 32)))[0].astype(np.float32)[:16]


def built(data, keep=8, **own):
    return build_stage_map(SmrlOptions(**own), data, Sides.shared(ROWS), keep, seed=0)


@pytest.mark.parametrize("projection", ["sub", "stacked"])
@pytest.mark.parametrize("selection", ["ads", "truncation", "random", "variance", "contribution"])
def test_a_stage_starts_at_the_given_rows(planted_data, projection, selection):
    start = built(planted_data, projection=projection, selection=selection)
    assert start.weight().are_one and start.weight().corpus.detach().numpy() == pytest.approx(ROWS, abs=1e-6)
    kept = start.kept_rows()
    assert len(kept) == 8 and torch.equal(kept, kept.sort().values)
    assert start.layer.corpus.shape == ((16, 16) if projection == "stacked" else (16, 32))


def test_only_the_layer_and_the_importance_learn(planted_data):
    def learned(module):
        return {name for name, value in module.named_parameters() if value.requires_grad}

    assert learned(built(planted_data, projection="stacked")) == {"layer.queries", "adaptive.importance"}
    fixed = built(planted_data, selection="variance")
    assert learned(fixed) == {"layer.queries"}
    assert "fixed_mask" in fixed.state_dict(), "a random choice is part of a checkpoint"


def test_the_given_rows_are_copied(planted_data):
    start = built(planted_data)
    with torch.no_grad():
        start.layer.corpus += 1
    assert np.abs(ROWS).max() <= 1


def test_ads_starts_from_the_variance_of_the_outputs(planted_data):
    strong, weak, none = (built(planted_data, importance_start=s).adaptive.importance for s in (2.0, 1.0, 0.0))
    assert strong.detach() == pytest.approx(2 * weak.detach().numpy(), rel=1e-6)
    assert weak.mean().item() == pytest.approx(0, abs=1e-5) and weak.std(correction=0).item() == pytest.approx(
        1, rel=1e-4
    )
    assert (none == 0).all()
    by_variance = built(planted_data, selection="variance").kept_rows()
    assert torch.equal(built(planted_data).kept_rows(), by_variance)


def test_dimensions_that_are_all_alike_start_alike(planted_data):
    rows = np.repeat(ROWS[:1], 4, axis=0)
    importance = build_stage_map(SmrlOptions(), planted_data, Sides.shared(rows), 2, seed=0).adaptive.importance
    assert importance.detach().abs().max() < 1e-3


@pytest.mark.parametrize("columns", [0, 1, 6])
def test_queries_without_hard_negatives_are_left_out_of_the_evidence(planted_data, columns):
    mined = planted_data.hard_negatives[:, :columns].copy()
    mined[1:] = -1
    few = dataclasses.replace(planted_data, hard_negatives=mined)
    for rule in ("variance", "truncation", "random"):
        assert torch.equal(built(few, selection=rule).kept_rows(), built(planted_data, selection=rule).kept_rows())
    if columns:
        assert len(built(few, selection="contribution").kept_rows()) == 8
    else:
        with pytest.raises(SmecError, match=r"`contribution` needs mined negatives.* `mined_negatives`"):
            built(few, selection="contribution")
