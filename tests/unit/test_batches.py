"""Batches: every query once per epoch, exact grades for every pair, no repeated document."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smec.batches import BatchSampler
from smec.judgements import Judgements
from smec.options import SupervisedOptions
from smec.training_data import TrainingData
from tests.conftest import unit

QUERIES, DOCUMENTS = 23, 40


def options(batch, negatives, **others):
    defaults = {"contrast": "batch", "random_negatives": 0}
    return SupervisedOptions(batch_size=batch, hard_negatives=negatives, **(defaults | others))


def data(negatives=3):
    rng = np.random.default_rng(0)
    pairs = np.unique(np.stack([rng.integers(0, QUERIES, 80), rng.integers(0, DOCUMENTS, 80)], 1), axis=0)
    pairs = np.unique(np.concatenate([pairs, np.stack([np.arange(QUERIES)] * 2, 1)]), axis=0)
    grades = rng.integers(1, 4, len(pairs))
    judgements = Judgements.from_triples(pairs[:, 0], pairs[:, 1], grades)
    hard = rng.integers(-1, DOCUMENTS, (QUERIES, negatives))
    queries, documents = unit(rng.normal(size=(QUERIES, 6))), unit(rng.normal(size=(DOCUMENTS, 6)))
    table = np.zeros((QUERIES, DOCUMENTS))
    table[pairs[:, 0], pairs[:, 1]] = grades
    return TrainingData(queries, documents, judgements, hard, queries, judgements, hard), table


def rows_of(vectors, among):
    return (vectors.numpy()[:, None] == among[None]).all(2).argmax(1)


def test_relevance_holds_the_grade_of_every_pair():
    source, table = data()
    for batch in BatchSampler(source, options(8, 3), 0, torch.device("cpu")).epoch():
        queries, documents = rows_of(batch.queries, source.queries), rows_of(batch.documents, source.documents)
        assert np.array_equal(batch.relevance.numpy(), table[np.ix_(queries, documents)])
        assert len(set(documents)) == len(documents)
        assert (batch.relevance[torch.arange(len(queries)), batch.positive] > 0).all()


def test_an_epoch_passes_once_over_the_queries():
    source, _ = data()
    sampler = BatchSampler(source, options(8, 0), 0, torch.device("cpu"))
    batches = list(sampler.epoch())
    assert len(batches) == sampler.steps_per_epoch == 3
    seen = np.concatenate([rows_of(batch.queries, source.queries) for batch in batches])
    assert sorted(seen) == list(range(QUERIES))


def test_mined_negatives_are_in_the_batch_and_missing_ones_are_not_row_minus_one():
    source, _ = data()
    for batch in BatchSampler(source, options(8, 2, negative_pool=2), 0, torch.device("cpu")).epoch():
        queries, documents = rows_of(batch.queries, source.queries), rows_of(batch.documents, source.documents)
        mined = source.hard_negatives[queries][:, :2]
        assert set(mined[mined >= 0]) <= set(documents)


def test_the_state_of_the_generator_continues_the_sequence():
    source, _ = data()
    one, other = (BatchSampler(source, options(8, 3), 0, torch.device("cpu")) for _ in range(2))
    list(one.epoch())
    other.generator.set_state(one.generator.get_state())
    for left, right in zip(one.epoch(), other.epoch(), strict=True):
        assert torch.equal(left.documents, right.documents) and torch.equal(left.relevance, right.relevance)


def test_drawn_negatives_come_from_the_pool_and_vary():
    source, _ = data(negatives=9)
    sampler = BatchSampler(source, options(QUERIES, 2, negative_pool=6), 0, torch.device("cpu"))
    draws = [sampler._draw_hard_negatives(torch.arange(QUERIES)).view(QUERIES, 2).numpy() for _ in range(2)]
    pool = source.hard_negatives[:, :6]
    assert all((draw[:, :, None] == pool[:, None, :]).any(2).all() for draw in draws)
    assert not np.array_equal(*draws)


def test_random_negatives_join_the_batch_with_their_grades():
    source, table = data()
    (batch,) = BatchSampler(source, options(QUERIES, 0, random_negatives=500), 0, torch.device("cpu")).epoch()
    assert len(batch.documents) == DOCUMENTS
    queries, documents = rows_of(batch.queries, source.queries), rows_of(batch.documents, source.documents)
    assert np.array_equal(batch.relevance.numpy(), table[np.ix_(queries, documents)])


def test_with_own_negatives_all_else_is_ignored():
    source, table = data()
    sampler = BatchSampler(source, options(8, 3, contrast="own", random_negatives=4), 0, torch.device("cpu"))
    for batch in sampler.epoch():
        queries, documents = rows_of(batch.queries, source.queries), rows_of(batch.documents, source.documents)
        relevance = batch.relevance.numpy()
        judged = table[np.ix_(queries, documents)]
        assert np.array_equal(relevance > 0, judged > 0) and np.array_equal(relevance[judged > 0], judged[judged > 0])
        for row, query in enumerate(queries):
            mined = set(source.hard_negatives[query]) & set(documents)
            contrasted = set(documents[relevance[row] >= 0])
            assert mined <= contrasted
        shared = (relevance >= 0).all(axis=0).sum()
        assert shared >= 1, "the random documents are set against every query"
        assert (relevance < 0).any()


@pytest.mark.parametrize("contrast", ["own", "batch"])
def test_a_query_is_never_set_against_the_document_that_it_must_not_meet(contrast):
    source, table = data()
    excluded = np.where(np.arange(QUERIES) % 2, np.arange(QUERIES) + 5, -1)
    source = replace(source, excluded=excluded)
    wanted = options(QUERIES, 3, contrast=contrast, random_negatives=500)
    (batch,) = BatchSampler(source, wanted, 0, torch.device("cpu")).epoch()
    queries, documents = rows_of(batch.queries, source.queries), rows_of(batch.documents, source.documents)
    assert len(documents) == DOCUMENTS
    for row, query in enumerate(queries):
        expected = table[query].copy()
        if excluded[query] >= 0:
            expected[excluded[query]] = -1
        assert np.array_equal(batch.relevance[row].numpy(), expected[documents])
