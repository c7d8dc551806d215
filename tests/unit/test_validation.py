"""The tensor nDCG@10 of training equals the library's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smec.judgements import Judgements
from smec.metrics import per_query
from smec.search import exact_topk
from smec.sides import Sides
from smec.training_data import TrainingData
from smec.validation import ValidationSet
from tests.conftest import unit


@pytest.mark.parametrize("documents", [3, 40])
def test_equals_the_library_with_grades_and_many_relevant_documents(documents):
    rng = np.random.default_rng(0)
    queries, corpus = unit(rng.normal(size=(12, 8))), unit(rng.normal(size=(documents, 8)))
    pairs = np.argwhere(rng.random((12, documents)) < 0.5)
    pairs = np.concatenate([pairs, np.stack([np.arange(12), np.zeros(12, int)], 1)])
    pairs = np.unique(pairs, axis=0)
    judgements = Judgements.from_triples(pairs[:, 0], pairs[:, 1], rng.integers(1, 4, len(pairs)))
    none = np.zeros((12, 0), np.int64)
    data = TrainingData(queries, corpus, judgements, none, queries, judgements, none)
    ours = ValidationSet(data, torch.device("cpu")).per_query(Sides.shared(lambda x: x), (8, 4))
    for scores, size in zip(ours, (8, 4), strict=True):
        cut_queries, cut_corpus = unit(queries[:, :size]), unit(corpus[:, :size])
        _, found = exact_topk(cut_queries, cut_corpus, 100)
        assert scores == pytest.approx(per_query(judgements, found)["ndcg@10"], abs=1e-6)


def test_an_excluded_document_is_not_found():
    queries = unit(np.eye(3, 4))
    corpus = unit(np.concatenate([np.eye(3, 4), np.eye(3, 4) + 0.3]))
    judgements = Judgements.from_triples(np.arange(3), np.arange(3, 6), np.ones(3))
    none = np.zeros((3, 0), np.int64)
    data = TrainingData(queries, corpus, judgements, none, queries, judgements, none)
    second = ValidationSet(data, torch.device("cpu")).per_query(Sides.shared(lambda x: x))[0]
    assert second == pytest.approx(1 / np.log2(3)), "each query finds itself first"
    own = np.array([0, 1, -1])
    apart = replace(data, excluded=own, validation_excluded=own)
    assert ValidationSet(apart, torch.device("cpu")).per_query(Sides.shared(lambda x: x))[0] == pytest.approx(
        [1, 1, 1 / np.log2(3)]
    )
    assert apart.merged().excluded.tolist() == [0, 1, -1] * 2
    drawn = apart.labelled_sample(4)
    asked = drawn.validation_queries.argmax(axis=1)
    assert len(asked) == 4 and np.array_equal(drawn.validation_excluded, own[asked])
    assert np.array_equal(drawn.validation.corpus_rows, asked + 3)
    assert apart.labelled_sample(99).validation_excluded.tolist() == [0, 1, -1] * 2
