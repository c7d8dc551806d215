"""DIVE: what its heads see, what its weights switch, and the smallest data that it can meet."""

import numpy as np
import pytest
import torch

from smec.dive import _Adapter, fit_adapter
from smec.method import FitJob
from tests.fitting import options_of

EYE = np.eye(32, dtype=np.float32)


def job(data, sizes=(32, 8), **own):
    return FitJob(data=data, sizes=sizes, size=None, options=options_of("dive", **own), seed=0)


def test_a_head_of_a_small_size_is_the_first_columns_of_the_head():
    adapter = _Adapter(torch.eye(6), heads=3, head_size=2, seed=0)
    outputs = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    views = adapter.views(outputs, 4)
    assert views.shape == (3, 5, 2)
    expected = adapter.heads[1][:, :4] @ outputs[3, :4]
    torch.testing.assert_close(views[1, 3], expected)
    changed = outputs.clone()
    changed[:, 4:] += 7
    torch.testing.assert_close(adapter.views(changed, 4), views)


def test_the_heads_are_switched_off_by_their_weight(planted_data):
    """Without heads and with every margin met, nothing pulls at the map; the heads do."""
    met = {"margin": 1e-9, "contrast": "own", "hard_negatives": 0, "random_negatives": 0, "keep": "last"}
    still, _ = fit_adapter(job(planted_data, head_weight=0.0, **met), EYE, 1)
    moved, _ = fit_adapter(job(planted_data, head_weight=0.5, **met), EYE, 1)
    assert np.array_equal(still, EYE)
    assert np.abs(moved - EYE).max() > 1e-3


def test_training_without_labels_that_teach_brings_the_views_together(planted_data):
    silent = {"margin": 1e-9, "contrast": "own", "hard_negatives": 0, "random_negatives": 0}
    _, history = fit_adapter(job(planted_data, **silent), EYE, 12)
    assert history.loss[-1] < 0.8 * history.loss[0]


def test_a_small_size_is_trained_by_its_own_losses(planted_data):
    both, _ = fit_adapter(job(planted_data, (32, 8), keep="last"), EYE, 3)
    large, _ = fit_adapter(job(planted_data, (32,), keep="last"), EYE, 3)
    assert np.abs(both[:8] - large[:8]).max() > 1e-3


def test_the_record_has_every_size(planted_data):
    _, history = fit_adapter(job(planted_data), EYE, 2)
    assert set(history.record()["validation_ndcg@10_by_size"]) == {"32", "8"}
    assert history.validation[history.kept_epoch] == pytest.approx(max(history.validation))
