"""Stages of SMRL: what they share with plain training, what each option promises, what a stage file holds."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.compressors import method_named
from smec.joint import fit_linear_map
from smec.method import FitJob
from smec.options import SmrlOptions
from smec.sides import Sides
from smec.smrl import stage_epochs
from smec.validation import ValidationSet
from tests.fitting import QUICK, compressor_of, cosines, fit_run, options_of, stage_bytes

EYE = np.eye(32, dtype=np.float32)


PLAIN = {"basis": "identity", "contrast": "batch", "loss": "rank", "temperature": 1.0}
"""What the tests assume and the defaults may not say."""


def chain(data, sizes=(32, 16, 8), **own):
    return fit_run("smec", data, sizes=sizes, **PLAIN | own)


def map_of(fitted, size):
    return fitted.stage.tensors[fitted.stage.outputs[size]][:size]


def test_a_chain_of_one_stage_is_plain_training_of_its_two_sizes(planted_data):
    (stage,) = chain(planted_data, sizes=(32, 16), selection="truncation", alpha=0.0)
    job = FitJob(planted_data, (32, 16), None, options_of("mrl", alpha=0.0, **PLAIN), seed=0)
    expected, record = fit_linear_map(job, EYE, (32, 16), QUICK["epochs"])
    assert map_of(stage, 32) == pytest.approx(expected.corpus, abs=1e-3)
    assert map_of(stage, 16) == pytest.approx(expected.corpus[:16], abs=1e-3)
    assert stage.record["loss"] == pytest.approx(record["loss"], rel=1e-4)
    assert stage.record["validation_ndcg@10"] == pytest.approx(record["validation_ndcg@10"], abs=0.02)


@pytest.mark.parametrize(("start", "rule"), [(0.0, "truncation"), (1.0, "variance")])
def test_ads_without_noise_is_the_hard_choice_of_where_it_starts(planted_data, tmp_path, start, rule):
    silent = chain(planted_data, gumbel_temperature=0.0, importance_start=start)
    assert stage_bytes(silent, tmp_path) == stage_bytes(chain(planted_data, selection=rule), tmp_path)


def test_alpha_zero_never_asks_the_memory(planted_data, tmp_path):
    sizes = [stage_bytes(chain(planted_data, alpha=0.0, memory_size=m), tmp_path) for m in (0, 7, 500)]
    assert sizes[0] == sizes[1] == sizes[2]


def test_separate_levels_are_frozen_one_by_one(planted_data):
    first, second = chain(planted_data, sizes=(32, 16, 8))
    assert set(first.stage.outputs) == {32, 16} and set(second.stage.outputs) == {8}
    assert np.array_equal(map_of(first, 16), map_of(first, 32)[first.stage.tensors["selected"]])
    served = compressor_of("smec", [first, second])
    assert np.array_equal(served.weights[16], map_of(first, 16)), "a later stage leaves earlier sizes alone"


def test_a_stage_starts_at_the_rows_that_the_one_before_selected(planted_data):
    first, second = chain(planted_data, learning_rate=1e-9, importance_learning_rate=0.5)
    assert np.linalg.norm(map_of(second, 8), axis=1) == pytest.approx(1, abs=1e-4)
    rows = map_of(first, 16)[second.stage.tensors["selected"]]
    assert map_of(second, 8) == pytest.approx(rows, abs=1e-5)


def test_nested_levels_are_prefixes_of_one_matrix_and_its_tail_does_not_move(planted_data):
    fitted = chain(planted_data, sizes=(32, 16, 8, 4), levels="nested", selection="variance", learning_rate=3e-3)
    matrices = [one.stage.tensors["weight"] for one in fitted]
    assert [m.shape for m in matrices] == [(32, 32)] * 3
    for number, trainable in ((1, 16), (2, 8)):
        assert np.array_equal(matrices[number][trainable:], matrices[number - 1][trainable:])
        assert not np.array_equal(matrices[number][:trainable], matrices[number - 1][:trainable])
    served = compressor_of("smec", fitted)
    assert served.sizes == (32, 16, 8, 4)
    for size in served.sizes:
        assert np.array_equal(served.weights[size], matrices[-1][:size]), "plain truncation gives every level"


def test_a_nested_stage_only_reorders_when_nothing_is_learned(planted_data):
    (stage,) = chain(planted_data, sizes=(32, 16), levels="nested", selection="random", learning_rate=1e-12)
    matrix, kept = stage.stage.tensors["weight"], stage.stage.tensors["selected"]
    assert matrix[:16] == pytest.approx(EYE[kept], abs=1e-6)
    assert np.sort(matrix.argmax(1)).tolist() == list(range(32))


def test_stacked_rows_stay_in_the_span_of_the_map_below(planted_data):
    for projection, inside in (("stacked", True), ("sub", False)):
        first, second = chain(planted_data, projection=projection, learning_rate=3e-2)
        below = map_of(first, 16).astype(np.float64)
        rows = map_of(second, 8).astype(np.float64)
        left_over = rows - rows @ np.linalg.pinv(below) @ below
        assert (np.abs(left_over).max() < 1e-4) == inside


@pytest.mark.parametrize("levels", ["separate", "nested"])
def test_rotation_leaves_the_cosines_at_the_larger_size_alone(planted_data, levels):
    """A second stage that learns nothing selects from rotated rows; all of them together see what was seen before."""
    still = {"learning_rate": 1e-12, "rotation": "pca", "levels": levels, "selection": "truncation"}
    (first,) = chain(planted_data, sizes=(32, 16), learning_rate=3e-2, selection="truncation", levels=levels)
    method = method_named("smec")
    job = FitJob(planted_data, (32, 16, 15), 15, options_of("smec", **PLAIN | still), 0, previous=first.stage)
    second = method.fit(job)
    if levels == "nested":
        rotated = map_of(second, 16)
        before, after = (cosines(planted_data.documents @ w.T) for w in (map_of(first, 16), rotated))
        assert after == pytest.approx(before, abs=1e-4)
        assert not np.allclose(rotated, map_of(first, 16), atol=1e-2)
    outputs = planted_data.documents @ map_of(second, 15).T
    moments = outputs.T @ outputs
    assert moments - np.diag(np.diag(moments)) == pytest.approx(np.zeros((15, 15)), abs=1e-2)
    assert (np.diff(np.diag(moments)) <= 1e-2).all(), "strongest first"


def test_the_teacher_travels_in_the_stage_files(planted_data):
    first, second, third = chain(planted_data, sizes=(32, 16, 8, 4), distillation=1.0)
    for one in (first, second, third):
        assert np.array_equal(one.stage.tensors["teacher"], map_of(first, 32))
    assert "teacher" not in chain(planted_data)[0].stage.tensors


def test_the_teacher_changes_later_stages_only(planted_data):
    taught, alone = chain(planted_data, distillation=5.0), chain(planted_data)
    assert np.array_equal(map_of(taught[0], 32), map_of(alone[0], 32))
    assert not np.array_equal(map_of(taught[1], 8), map_of(alone[1], 8))


@pytest.mark.parametrize("epochs", [4, 8, 12])
def test_refitting_learns_from_validation_queries_too_in_no_more_steps(planted_data, epochs):
    once, twice = (chain(planted_data, sizes=(32, 16), epochs=epochs, refit_share=r)[0].record for r in (0.0, 0.5))
    assert once["steps"] == epochs * 3 and "refit" not in once
    assert twice["refit"]["steps"] % 4 == 0, "72 queries at first, then all 96, in batches of 24"
    assert once["steps"] - 4 < twice["steps"] + twice["refit"]["steps"] <= once["steps"]


def test_refitting_keeps_the_last_weights_because_nothing_is_held_out(planted_data):
    record = chain(planted_data, sizes=(32, 16), epochs=8, refit_share=0.5)[0].record
    assert record["refit"]["kept_epoch"] == 3
    assert not any(key.startswith("validation") for key in record["refit"]), "it would be a training score"


def test_choices_are_made_on_a_chain_that_has_not_learned_from_the_validation_queries(planted_data):
    """Other validation queries change what is served, and nothing that a later stage is judged by starts from."""
    swapped = dataclasses.replace(planted_data, validation_queries=planted_data.validation_queries[::-1].copy())
    own = {"refit_share": 0.5, "distillation": 1.0, "rotation": "pca", "keep": "last", "epochs": 8}
    runs = [chain(data, **own) for data in (planted_data, swapped)]
    for stages in zip(*runs, strict=True):
        mine, other = (fitted.stage.tensors for fitted in stages)
        held_out = {name for name in mine if name.startswith("held_out_")}
        served = {name.removeprefix("held_out_") for name in held_out}
        assert served < set(mine)
        assert all(np.array_equal(mine[name], other[name]) for name in held_out)
        assert not any(np.array_equal(mine[name], other[name]) for name in served)
        assert stages[0].record["loss"] == stages[1].record["loss"]
        assert stages[0].record["refit"]["loss"] != stages[1].record["refit"]["loss"]
    first, last = runs[0]
    assert {"held_out_teacher", "held_out_weight16"} <= set(first.stage.tensors)
    assert not any(name.startswith("held_out_") for name in last.stage.tensors), "no stage comes after it"


@pytest.mark.parametrize("own", [{"maps": "per_side"}, {"levels": "nested"}, {"basis": "learned_whitening"}])
def test_a_second_fit_goes_with_every_kind_of_map(planted_data, own):
    given = {"refit_share": 0.5, "distillation": 1.0, "epochs": 4, "pull_back": own.get("levels") != "nested"} | own
    stages = chain(planted_data, **given)
    served = compressor_of("smec", stages) if own.get("maps") != "per_side" else None
    assert any(name.startswith("held_out_weight") for name in stages[0].stage.tensors)
    assert served is None or served.transform(planted_data.documents, 8).shape == (len(planted_data.documents), 8)


def test_the_second_fit_may_move_further_because_it_has_more_queries(planted_data):
    few = {"path": 1e-3, "path_queries": 1000, "learning_rate": 1.0, "refit_share": 0.5, "selection": "truncation"}
    short, long = (chain(planted_data, sizes=(32, 16), **few | {"path": path}) for path in (1e-3, 1e-2))
    moved = [np.abs(fitted.stage.tensors["weight32"] - EYE).max() for (fitted,) in (short, long)]
    assert 0 < moved[0] < moved[1]


def test_without_a_second_fit_there_is_one_chain(planted_data):
    stages = chain(planted_data, refit_share=0.0, distillation=1.0)
    assert not any(name.startswith("held_out_") for fitted in stages for name in fitted.stage.tensors)


def test_pulled_back_never_below_the_baseline_when_labels_are_noise(planted_data):
    """Labels are shuffled, so whatever is learned is wrong; the true labels judge."""
    rng = np.random.default_rng(3)
    shuffled = dataclasses.replace(
        planted_data,
        positives=dataclasses.replace(
            planted_data.positives, corpus_rows=rng.permutation(planted_data.positives.corpus_rows)
        ),
        validation=dataclasses.replace(
            planted_data.validation, corpus_rows=rng.permutation(planted_data.validation.corpus_rows)
        ),
    )
    sizes = (32, 16, 8, 4)
    truth = ValidationSet(planted_data, torch.device("cpu"))

    def scores(name, **own):
        fitted = compressor_of(name, fit_run(name, shuffled, sizes=sizes, **own))
        return {size: truth.ndcg_of(Sides.shared(torch.from_numpy(fitted.weights[size]))) for size in sizes}

    pulled, principal = scores("smec_plus", epochs=10), scores("pca")
    harmed = scores("smec_plus", epochs=10, pull_back=False)
    for size in sizes:
        assert pulled[size] >= principal[size] - 0.002
    assert min(harmed[size] - principal[size] for size in sizes) < -0.02, "without it the noise does harm"


def test_pull_back_is_recorded_per_size(planted_data):
    first, second = chain(planted_data, pull_back=True, epochs=1)
    assert set(first.record["pull_back"]) == {"32", "16"} and set(second.record["pull_back"]) == {"8"}
    assert set(first.record["pull_back"]["16"]) == {"basis", "share"}


@pytest.mark.parametrize(
    ("own", "first", "later"),
    [
        ({}, (10, 0), (10, 0)),
        ({"first_stage_share": 0.4}, (16, 0), (8, 0)),
        ({"refit_share": 0.5}, (5, 5), (5, 5)),
        ({"refit_share": 0.75, "first_stage_share": 0.4}, (4, 12), (2, 6)),
        ({"epochs": 1, "refit_share": 0.5}, (1, 1), (1, 1)),
    ],
)
def test_epochs_of_a_stage(own, first, later):
    options = SmrlOptions(**{"epochs": 10} | own)
    assert stage_epochs(options, first=True, stages=4) == first
    assert stage_epochs(options, first=False, stages=4) == later
    assert stage_epochs(SmrlOptions(epochs=10, first_stage_share=0.4), first=True, stages=1) == (10, 0)


@pytest.mark.parametrize(
    "own",
    [{"gumbel_temperature": 50.0, "final_gumbel_temperature": 50.0}, {"importance_learning_rate": 1e-6}],
    ids=["too hot", "too slow"],
)
def test_a_chain_whose_selection_cannot_commit_says_so(planted_data, own):
    own = {"importance_start": 0.0} | own
    for fitted in chain(planted_data, **own):
        assert any("never commits" in warning for warning in fitted.record["warnings"])
        assert fitted.record["selection_per_epoch"][-1]["entropy"] > 0.5


@pytest.mark.parametrize(("keep", "warned"), [("best", True), ("last", False)])
def test_warnings_are_of_the_epoch_that_is_kept(planted_data, keep, warned):
    """Labels are shuffled, so the best is the undecided start; a selection that has decided by the end is not it."""
    rows = np.random.default_rng(3).permutation(planted_data.positives.corpus_rows)
    wrong = dataclasses.replace(planted_data, positives=dataclasses.replace(planted_data.positives, corpus_rows=rows))
    own = {"importance_start": 0.0, "importance_learning_rate": 50.0, "learning_rate": 5.0, "keep": keep}
    (fitted,) = chain(wrong, sizes=(32, 16), epochs=8, final_gumbel_temperature=0.01, **own)
    entropies = [note["entropy"] for note in fitted.record["selection_per_epoch"]]
    assert fitted.record["kept_epoch"] == (0 if warned else 8) and entropies[0] > 0.9 and entropies[-1] < 0.5
    assert any("never commits" in warning for warning in fitted.record["warnings"]) == warned


def test_a_fixed_selection_and_one_that_starts_decided_are_not_warned_of(planted_data):
    for own in ({"selection": "variance"}, {"importance_start": 100.0, "final_gumbel_temperature": 0.01}):
        for fitted in chain(planted_data, **own):
            assert fitted.record["warnings"] == []


def test_the_record_follows_every_epoch(planted_data):
    for fitted in chain(planted_data):
        record = fitted.record
        assert len(record["loss"]) == 3
        assert len(record["validation_ndcg@10"]) == len(record["selection_per_epoch"]) == 4
        assert len(record["seconds_per_epoch"]) == 3
    by_size = [fitted.record["validation_ndcg@10_by_size"] for fitted in chain(planted_data)]
    assert [set(scores) for scores in by_size] == [{"32", "16"}, {"8"}], "the sizes that the stage serves"
