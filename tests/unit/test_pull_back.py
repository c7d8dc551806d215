"""Mixing a trained map with a frozen one: the ends of the scale, and what may be chosen."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.pull_back import PullBack, aligned, baseline_rows, better_baseline, choose
from smec.sides import Sides
from smec.validation import ValidationSet
from tests.conftest import planted
from tests.fitting import cosines, fit_run

MATRIX = np.random.default_rng(0).normal(size=(8, 32)).astype(np.float32)
TRAINED = Sides.shared(MATRIX)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def learned(planted_data):
    (fitted,) = fit_run("smec", planted_data, sizes=(8,), loss="infonce", temperature=0.06, epochs=25, alpha=0.0)
    return Sides.shared(fitted.stage.tensors["weight8"])


@pytest.mark.parametrize("basis", ["identity", "pca"])
def test_all_of_it_is_the_trained_map_and_none_of_it_the_baseline(planted_data, basis):
    assert PullBack(basis, 1.0).apply(TRAINED, planted_data) is TRAINED
    assert np.array_equal(PullBack(basis, 0.0).apply(TRAINED, planted_data).corpus, planted_data.basis(basis)[:8])


def test_half_of_it_lies_between(planted_data):
    half = PullBack("pca", 0.5).apply(TRAINED, planted_data).corpus
    ends = [planted_data.documents @ w.T for w in (MATRIX, baseline_rows("pca", planted_data, 8))]
    middle = cosines(planted_data.documents @ half.T)
    distances = [np.abs(middle - cosines(end)).mean() for end in ends]
    assert half.dtype == np.float32 and max(distances) < np.abs(cosines(ends[0]) - cosines(ends[1])).mean()


def test_alignment_changes_no_cosine_and_finds_a_rotation(planted_data):
    documents = planted_data.documents
    baseline = baseline_rows("pca", planted_data, 8)
    before, after = (cosines(documents @ w.T) for w in (MATRIX, aligned(TRAINED, baseline, documents).corpus))
    assert after == pytest.approx(before, abs=1e-4)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0].astype(np.float32)
    assert aligned(Sides.shared(3 * rotation @ baseline), baseline, documents).corpus == pytest.approx(
        baseline, abs=1e-4
    )


def test_alignment_of_a_zero_map_is_finite(planted_data):
    zeros = Sides.shared(np.zeros((8, 32), np.float32))
    assert np.isfinite(aligned(zeros, baseline_rows("pca", planted_data, 8), planted_data.documents).corpus).all()


def test_the_baseline_is_principal_axes_unless_truncation_is_clearly_better(planted_data):
    assert better_baseline(planted_data, 32) == "identity", "at full width nothing is left out"
    assert better_baseline(planted_data, 8) == "pca"
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(200, 4)), 4 * rng.normal(size=(2, 200, 28))
    documents, queries = (
        (np.concatenate([signal, n], 1) / np.linalg.norm(np.concatenate([signal, n], 1), axis=1)[:, None]).astype(
            np.float32
        )
        for n in noise
    )
    told = planted(queries=200, documents=200)
    leading = dataclasses.replace(
        told,
        documents=documents,
        queries=queries[:150],
        validation_queries=queries[150:],
        positives=dataclasses.replace(told.positives, corpus_rows=np.arange(150)),
        validation=dataclasses.replace(told.validation, corpus_rows=np.arange(150, 200)),
    )
    assert better_baseline(leading, 4) == "identity", "the first dimensions hold all of the signal"


def test_a_map_that_learned_something_is_kept(planted_data, learned):
    validation = ValidationSet(planted_data, CPU)
    choice = choose(learned, planted_data, validation)
    assert choice.share > 0
    frozen = Sides.shared(baseline_rows(choice.basis, planted_data, 8))
    mixed, frozen = (maps.each(torch.from_numpy) for maps in (choice.apply(learned, planted_data), frozen))
    assert validation.ndcg_of(mixed) > validation.ndcg_of(frozen)


def test_what_training_lost_is_taken_back_from_learned_whitening(planted_data):
    whitened = planted_data.basis("learned_whitening")
    choice = choose(TRAINED, planted_data, ValidationSet(planted_data, CPU), whitened)
    assert choice.basis == "learned_whitening" and choice.share <= 0.25
    none_of_it = PullBack("learned_whitening", 0.0).apply(TRAINED, planted_data, whitened)
    assert np.array_equal(none_of_it.corpus, whitened[:8])


def test_a_chain_hands_learned_whitening_on():
    data = planted()
    first, second, *_ = fit_run("smec_plus", data, sizes=(32, 16, 8))
    whitened = data.basis("learned_whitening")
    assert np.array_equal(first.stage.tensors["whitened"], whitened[:16])
    assert np.array_equal(second.stage.tensors["whitened"], whitened[:8])
    (plain, *_) = fit_run("smec_plus", data, sizes=(32, 16), basis="pca")
    assert "whitened" not in plain.stage.tensors


def test_a_map_of_noise_is_given_up(planted_data):
    choice = choose(TRAINED, planted_data, ValidationSet(planted_data, CPU))
    assert choice.share == 0.0


def test_one_validation_query_proves_nothing(planted_data, learned):
    single = dataclasses.replace(
        planted_data,
        validation_queries=planted_data.validation_queries[:1],
        validation=dataclasses.replace(
            planted_data.validation,
            query_rows=np.array([0]),
            offsets=np.array([0, 1]),
            corpus_rows=planted_data.validation.corpus_rows[:1],
            relevance=planted_data.validation.relevance[:1],
        ),
        validation_negatives=planted_data.validation_negatives[:1],
    )
    assert choose(learned, single, ValidationSet(single, CPU)).share == 0.0


def few(data, count):
    """The data with its first `count` validation queries alone."""
    rows = np.arange(count)
    return dataclasses.replace(
        data,
        validation_queries=data.validation_queries[:count],
        validation=data.validation.take(rows),
        validation_negatives=data.validation_negatives[:count],
    )


def chosen(data, maps, told):
    whitened = data.basis("learned_whitening")
    return choose(maps, data, ValidationSet(data, CPU), whitened, lambda: told)


@pytest.mark.parametrize("told", [False, True])
def test_where_validation_proves_nothing_all_labels_decide(planted_data, learned, told):
    single = few(planted_data, 1)
    assert (
        chosen(single, learned, told).share > 0 or chosen(single, learned, told).basis == "learned_whitening"
    ) == told


def test_all_labels_are_asked_however_many_validation_queries_prove_nothing(planted_data):
    data = planted(queries=1200)
    wrong = np.random.default_rng(0).permutation(data.validation.corpus_rows)
    unproved = dataclasses.replace(data, validation=dataclasses.replace(data.validation, corpus_rows=wrong))
    assert len(unproved.validation_queries) == 300
    kept = chosen(unproved, TRAINED, told=True)
    assert kept.share > 0 or kept.basis == "learned_whitening"
    assert chosen(unproved, TRAINED, told=False) == PullBack("pca", 0.0)


def test_a_map_that_diverged_is_not_kept_because_labels_tell(planted_data):
    assert chosen(few(planted_data, 3), TRAINED, told=True) == PullBack("learned_whitening", 0.0)


def test_all_labels_are_not_asked_where_validation_is_enough(planted_data, learned):
    def asked():
        raise AssertionError("validation had shown it")

    validation = ValidationSet(planted_data, CPU)
    assert choose(learned, planted_data, validation, planted_data.basis("learned_whitening"), asked).share > 0
