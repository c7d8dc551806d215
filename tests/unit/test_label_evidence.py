"""Whether labels tell anything: some dozens of good ones do, shuffled ones and what gives itself away do not."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.judgements import Judgements
from smec.label_evidence import groups_of, labels_tell
from tests.conftest import planted

CPU = torch.device("cpu")


def shuffled(data):
    rng = np.random.default_rng(0)
    return dataclasses.replace(
        data,
        positives=dataclasses.replace(data.positives, corpus_rows=rng.permutation(data.positives.corpus_rows)),
        validation=dataclasses.replace(data.validation, corpus_rows=rng.permutation(data.validation.corpus_rows)),
    )


@pytest.mark.parametrize("most", [60, 1000])
def test_good_labels_do_and_shuffled_ones_do_not(most):
    data = planted(queries=120, documents=200)
    assert labels_tell(data, most, CPU)
    assert not labels_tell(shuffled(data), most, CPU)


def test_a_handful_is_too_few_to_say():
    assert not labels_tell(planted(queries=120, documents=200), 5, CPU)


def of_classes(vectors, classes):
    """Data whose documents are the queries too: those of a class answer each other, none itself."""
    rows = np.arange(len(vectors))
    judged = Judgements.from_groups(rows, classes, rows, classes, rows, np.ones(len(rows)))
    half = len(rows) // 2
    told = planted(queries=len(rows), documents=len(rows), width=vectors.shape[1])
    return dataclasses.replace(
        told,
        documents=vectors,
        queries=vectors[:half],
        validation_queries=vectors[half:],
        positives=judged.take(rows[:half]),
        validation=judged.take(rows[half:]),
        excluded=rows[:half],
        validation_excluded=rows[half:],
    )


def unit_rows(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_photos_of_a_class_do_not_give_each_other_away():
    """Random classes of random vectors pass now and then (13 of 40), and always if they are not asked apart."""
    classes, draws = np.repeat(np.arange(30), 2), 40
    fooled = 0
    for seed in range(draws):
        noise = np.random.default_rng(seed).normal(size=(60, 16))
        fooled += labels_tell(of_classes(unit_rows(noise), classes), 1000, CPU)
    assert fooled <= draws // 2
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(30, 8))[classes], rng.normal(size=(60, 16))
    assert labels_tell(of_classes(unit_rows(np.concatenate([shared, 1.5 * own], axis=1)), classes), 1000, CPU)


def test_queries_that_share_a_document_are_one_group():
    judged = Judgements.from_triples(np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 3, 4]), np.ones(5))
    assert groups_of(judged, None, 6).tolist() == [0, 0, 1, 2]
    assert groups_of(judged, np.array([-1, -1, -1, 3]), 6).tolist() == [0, 0, 1, 1], "query 3 is document 3"
