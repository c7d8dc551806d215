"""Learned whitening against differences written out, and on a case worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from smec import learned_whitening as module
from smec.basis import second_moment
from smec.judgements import Judgements
from smec.learned_whitening import SHRINKAGES, learned_whitening, pair_differences, whitened_axes
from tests.conftest import unit


def written_out(queries, documents, relevant):
    total = np.zeros((queries.shape[1],) * 2)
    pairs = relevant.expanded()
    for query, start, stop in zip(pairs.query_rows, pairs.offsets, pairs.offsets[1:], strict=False):
        differences = (queries[query] - documents[pairs.corpus_rows[start:stop]]).astype(np.float64)
        total += differences.T @ differences / (stop - start)
    return total / len(pairs)


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_differences_are_those_of_the_relevant_pairs(planted_data, monkeypatch, at_once):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", at_once)
    data = planted_data
    expected = written_out(data.queries, data.documents, data.positives)
    assert pair_differences(data.queries, data.documents, data.positives) == pytest.approx(expected, abs=1e-6)


def test_a_query_of_a_class_is_not_compared_with_itself():
    images = unit(np.random.default_rng(3).standard_normal((12, 5)))
    classes = np.arange(12) % 3
    rows = np.arange(12)
    judged = Judgements.from_groups(rows, classes, rows, classes, rows, np.ones(12))
    expected = written_out(images, images, judged)
    assert np.trace(expected) > 0.1
    assert pair_differences(images, images, judged) == pytest.approx(expected, abs=1e-6)


def test_an_axis_along_which_pairs_differ_counts_least():
    # Documents vary most along the first axis and pairs differ by 3 along it, by 1 along the others: whitening divides
    # the first by sqrt(9 + s) and the others by sqrt(1 + s), where s is the shrinkage times the mean of 9, 1, 1.
    differences, documents = (np.array([9.0, 1.0, 1.0]), np.eye(3)), np.diag([4.0, 2.0, 1.0])
    rows = whitened_axes(*differences, documents, 3 / 11)
    assert np.argmax(np.abs(rows), axis=1).tolist() == [1, 2, 0]
    scale = 1 / np.sqrt([2.0, 2.0, 10.0])
    assert np.abs(rows).max(axis=1) == pytest.approx(scale * np.sqrt(3) / np.linalg.norm(scale), rel=1e-6)
    much = whitened_axes(*differences, documents, 1e6)
    assert much == pytest.approx(np.eye(3), abs=1e-5), "what is shrunk without end are the principal axes"


def test_it_undoes_a_distortion_that_labels_show_and_the_documents_hide(planted_data):
    # Along the first six axes a query and its document share nothing, and there the vectors are longest.
    generator = np.random.default_rng(0)

    def noisy(vectors):
        drawn = np.zeros_like(vectors)
        drawn[:, :6] = generator.standard_normal((len(vectors), 6))
        return unit(vectors + drawn)

    data = replace(
        planted_data,
        queries=noisy(planted_data.queries),
        documents=noisy(planted_data.documents),
        validation_queries=noisy(planted_data.validation_queries),
    )
    share = np.square(learned_whitening(data)[:8])
    assert share[:, :6].sum() / share.sum() < 0.1
    assert np.square(data.axes[:8])[:, :6].sum() > 5, "the principal axes are those of the noise"


def test_the_shrinkage_is_what_validation_likes_best(planted_data):
    chosen = learned_whitening(planted_data)
    differences = np.linalg.eigh(pair_differences(planted_data.queries, planted_data.documents, planted_data.positives))
    documents = second_moment(planted_data.documents, center=False)[1]
    candidates = [whitened_axes(*differences, documents, shrinkage) for shrinkage in SHRINKAGES]
    assert sum(np.array_equal(chosen, rows) for rows in candidates) == 1
    fixed = learned_whitening(planted_data, 1e3)
    assert not any(np.array_equal(fixed, rows) for rows in candidates)


def test_rows_have_length_one_on_average(planted_data):
    assert np.square(planted_data.basis("learned_whitening")).sum() == pytest.approx(32, rel=1e-5)
