"""One map trained at several sizes at once."""

import numpy as np
import pytest
import torch

from smec.compressors.mrl import Options, total_epochs
from smec.joint import fit_linear_map, plan_of
from smec.method import FitJob
from smec.sides import Sides
from smec.validation import ValidationSet
from tests.fitting import options_of

EYE = np.eye(32, dtype=np.float32)


def job(data, sizes=(16, 8), **own):
    return FitJob(data=data, sizes=sizes, size=None, options=options_of("mrl", **own), seed=0)


def fit(*args):
    """The map that both sides share, and the record."""
    maps, record = fit_linear_map(*args)
    assert maps.are_one
    return maps.corpus, record


def test_the_start_is_not_touched_and_the_map_moves(planted_data):
    start = EYE[:16].copy()
    weight, record = fit(job(planted_data), start, (16, 8), 2)
    assert np.array_equal(start, EYE[:16])
    assert weight.shape == (16, 32) and weight.dtype == np.float32
    assert np.abs(weight - start).max() > 1e-3
    assert len(record["loss"]) == 2


def test_rows_that_no_size_reads_change_nothing(planted_data):
    alone, _ = fit(job(planted_data, (8,), alpha=0.0), EYE[:8], (8,), 3)
    inside, _ = fit(job(planted_data, (8,), alpha=0.0), EYE[:16], (8,), 3)
    assert inside[:8] == pytest.approx(alone, abs=1e-4)
    assert np.array_equal(inside[8:], EYE[8:16])


def test_the_best_epoch_counts_at_all_sizes_together(planted_data):
    _, record = fit(job(planted_data), EYE[:16], (16, 8), 4)
    scores = record["validation_ndcg@10"]
    assert scores[record["kept_epoch"]] == max(scores)
    assert np.mean(list(record["validation_ndcg@10_by_size"].values()), axis=0) == pytest.approx(scores)


@pytest.mark.parametrize(
    ("cost", "sizes", "expected"),
    [("total", (32, 16, 8), 14), ("total", (16, 8), 14), ("per_size", (32, 16, 8), 7), ("total", (32,), 7)],
)
def test_epochs_at_equal_total_cost_are_those_of_all_stages_of_a_chain(planted_data, cost, sizes, expected):
    assert total_epochs(job(planted_data, sizes, cost=cost, epochs=7)) == expected


def test_a_plan_takes_what_the_options_say():
    options = Options(learning_rate=0.3, final_learning_rate=0.2, path=0.7, averaging=0.5, keep="last", epochs=99)
    plan = plan_of(options, 4, 100)
    assert (plan.epochs, plan.learning_rate, plan.final_learning_rate) == (4, 0.3, 0.2)
    assert (plan.path, plan.averaging, plan.keep) == (0.7, 0.5, "last")


@pytest.mark.parametrize(("queries", "expected"), [(9, 0.21), (100, 0.7), (5000, 0.7)])
def test_a_map_that_learns_from_few_queries_moves_less(queries, expected):
    assert plan_of(Options(path=0.7, path_queries=100), 4, queries).path == pytest.approx(expected)


def test_ads_that_has_not_learned_orders_the_rows_by_variance(planted_data):
    still = {
        "selection": "ads",
        "gumbel_temperature": 0.0,
        "final_gumbel_temperature": 0.0,
        "learning_rate": 1e-12,
        "alpha": 0.0,
    }
    weight, record = fit(job(planted_data, (32, 16, 8), **still), EYE, (32, 16, 8), 1)
    outputs = planted_data.documents @ weight.T
    assert (np.diff(outputs.var(axis=0)) <= 0).all()
    assert np.sort(weight.argmax(axis=1)).tolist() == list(range(32))
    assert record["selection_per_epoch"] == [{"changed": 0.0, "entropy": 0.0}] * 2


def test_ads_moves_the_important_rows_to_the_front(planted_data):
    """The signal lies in rows that a wrong start puts last."""
    axes = planted_data.axes[::-1].copy()
    own = {"selection": "ads", "importance_start": 0.0, "importance_learning_rate": 0.5, "alpha": 0.0, "epochs": 30}
    found, record = fit(job(planted_data, (32, 8), **own), axes, (32, 8), 30)
    fixed, _ = fit(job(planted_data, (32, 8), **own | {"selection": "truncation"}), axes, (32, 8), 30)
    validation = ValidationSet(planted_data, torch.device("cpu"))
    scores = [validation.ndcg_of(Sides.shared(torch.from_numpy(weight[:8]))) for weight in (found, fixed)]
    assert scores[0] > scores[1] + 0.02
    assert len(record["selection_per_epoch"]) == 31


def test_an_undecided_selection_is_warned_of(planted_data):
    own = {"selection": "ads", "importance_start": 0.0, "importance_learning_rate": 1e-6}
    _, record = fit(job(planted_data, (32, 16, 8), **own), EYE, (32, 16, 8), 2)
    assert any("never commits" in warning for warning in record["warnings"])
