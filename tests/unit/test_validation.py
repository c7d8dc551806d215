"""The tensor nDCG@10 of training equals the library's."""

import numpy as np
import pytest
import torch

from smec.judgements import Judgements
from smec.metrics import per_query
from smec.search import exact_topk
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
    ours = ValidationSet(data, torch.device("cpu")).per_query(lambda x: x, (8, 4))
    for scores, size in zip(ours, (8, 4), strict=True):
        cut_queries, cut_corpus = unit(queries[:, :size]), unit(corpus[:, :size])
        _, found = exact_topk(cut_queries, cut_corpus, 100)
        assert scores == pytest.approx(per_query(judgements, found)["ndcg@10"], abs=1e-6)
