"""Judgements: by pair and by class, where all that reads them must see the same."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from smec.batches import BatchSampler
from smec.judgements import Judgements
from smec.metrics import evaluable, per_query
from smec.mining import mine_hard_negatives
from smec.options import SupervisedOptions
from smec.sides import Sides
from smec.training_data import TrainingData, collect
from smec.validation import ValidationSet
from tests.conftest import unit

COUNT, CLASSES = 60, 7


def by_class(seed=0, graded=False):
    """60 images of 7 classes, of which every image but each fifth is a query and none may find itself."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, COUNT)
    grades = rng.integers(0, 3, COUNT) if graded else np.ones(COUNT)
    queries = np.flatnonzero(np.arange(COUNT) % 5)
    documents = np.arange(COUNT)
    return Judgements.from_groups(queries, classes[queries], queries, classes, documents, grades), classes, grades


def pairs(judgements):
    listed = judgements.expanded()
    owner = np.repeat(np.arange(len(listed)), np.diff(listed.offsets))
    rows = listed.query_rows[owner].tolist()
    return set(zip(rows, listed.corpus_rows.tolist(), listed.relevance.tolist(), strict=True))


def test_a_class_is_written_once_and_means_all_its_pairs():
    judged, classes, _ = by_class()
    assert len(judged.corpus_rows) == COUNT and judged.offsets[-1] == COUNT
    queries = judged.query_rows
    expected = {(q, d, 1.0) for q in queries for d in range(COUNT) if classes[q] == classes[d] and q != d}
    assert pairs(judged) == expected
    assert judged.counts.tolist() == [sum(pair[0] == query for pair in expected) for query in queries]


def test_documents_of_other_classes_are_not_carried_along():
    judged = Judgements.from_groups(*(np.array(a) for a in ([4], [9], [-1], [9, 2, 9, 2], [5, 6, 1, 7], [1, 1, 1, 1])))
    assert judged.corpus_rows.tolist() == [1, 5] and pairs(judged) == {(4, 1, 1.0), (4, 5, 1.0)}


def test_runs_that_no_query_has_can_be_dropped():
    graded, _, _ = by_class(graded=True)
    part = graded.take(np.flatnonzero(graded.runs == graded.runs[0]))
    small = part.compact()
    assert len(small.corpus_rows) < len(part.corpus_rows)
    assert len(small.offsets) == 2
    listed = [judged.expanded() for judged in (part, small)]
    for name in ("query_rows", "offsets", "corpus_rows", "relevance"):
        assert np.array_equal(*(getattr(judged, name) for judged in listed))


def test_a_query_without_another_document_is_dropped():
    judged = Judgements.from_groups(*(np.array(a) for a in ([0, 1, 2], [0, 1, 1], [0, 1, -1], [0, 1], [0, 1], [1, 1])))
    assert judged.query_rows.tolist() == [2] and pairs(judged) == {(2, 1, 1.0)}


@pytest.mark.parametrize("graded", [False, True])
def test_both_forms_say_the_same(graded):
    judged, _, _ = by_class(graded=graded)
    listed = judged.expanded()
    places = np.array([5, 0, 17, 5])
    assert (judged.first() == listed.first()).all()
    assert pairs(judged.positives()) == pairs(listed.positives())
    assert len(judged.positives()) == len(listed.positives())
    for name in ("select", "take"):
        mine, theirs = getattr(judged, name)(places), getattr(listed, name)(places)
        assert pairs(mine) == pairs(theirs) and (mine.query_rows == theirs.query_rows).all()
    asked = np.random.default_rng(1).integers(-1, COUNT, (len(judged), 9))
    assert (judged.grades_of(asked, -1.0) == listed.grades_of(asked, -1.0)).all()
    blocks = list(judged.blocks(40))
    assert len(blocks) > 3 and set.union(*map(pairs, blocks)) == pairs(judged)
    joined = [Judgements.joined([each, each.take(places)], [0, 100]) for each in (judged, listed)]
    assert pairs(joined[0]) == pairs(joined[1])


def test_metrics_are_the_same(monkeypatch):
    judged, _, _ = by_class(graded=True)
    ranked = np.stack([np.random.default_rng(q).permutation(COUNT) for q in range(len(judged))])
    kept = evaluable(judged)
    whole = per_query(kept.expanded(), ranked[: len(kept)])
    monkeypatch.setattr("smec.metrics.PAIRS_AT_ONCE", 30)
    parts = per_query(kept, ranked[: len(kept)])
    assert all((parts[name] == whole[name]).all() for name in whole)
    assert (evaluable(judged.expanded()).query_rows == kept.query_rows).all()


def vectors(seed=3, count=COUNT, width=8):
    return unit(np.random.default_rng(seed).normal(size=(count, width)))


@pytest.mark.parametrize("reckoned", [1, 64])
@pytest.mark.parametrize("excluded", [False, True])
def test_mined_negatives_are_the_same(monkeypatch, reckoned, excluded):
    judged, classes, _ = by_class()
    corpus, queries = vectors(), vectors()[judged.query_rows]
    expected = mine_hard_negatives(queries, corpus, judged.expanded(), 5, judged.query_rows)
    monkeypatch.setattr("smec.mining.FIRST_RELEVANT", reckoned)
    monkeypatch.setattr("smec.mining.FOUND_AT_ONCE", 100)
    found = mine_hard_negatives(queries, corpus, judged, 5, judged.query_rows if excluded else None)
    assert (found == expected).all() and (classes[found] != classes[judged.query_rows][:, None]).all()


def training_data(judged):
    half = len(judged) // 2
    parts = judged.select(np.arange(half)), judged.select(np.arange(half, len(judged)))
    stores = Store(vectors()), Store(vectors())
    mined = [np.full((len(part), 2), -1) for part in parts]
    return collect(*stores, *parts, *mined, 1000, excluded_rows=np.arange(COUNT))


class Store:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def gather(self, rows):
        return self.rows[rows]


@pytest.mark.parametrize("exclude", [True, False])
def test_batches_are_the_same(exclude):
    judged, _, _ = by_class()
    options = SupervisedOptions(batch_size=8, hard_negatives=0, random_negatives=20, contrast="batch")
    samplers = []
    for form in (judged, judged.expanded()):
        data: TrainingData = training_data(form)
        data = data if exclude else replace(data, excluded=None)
        samplers.append(BatchSampler(data, options, 0, torch.device("cpu")))
    seen = set()
    for mine, theirs in zip(*(sampler.epoch() for sampler in samplers), strict=True):
        assert mine.relevance.equal(theirs.relevance) and mine.positive.equal(theirs.positive)
        assert mine.documents.equal(theirs.documents)
        assert (mine.relevance[torch.arange(len(mine.positive)), mine.positive] == 1).all()
        seen |= set(mine.relevance.unique().tolist())
    assert seen == ({-1.0, 0.0, 1.0} if exclude else {0.0, 1.0})


def test_validation_is_the_same(monkeypatch):
    judged, _, _ = by_class(graded=True)
    scores = []
    for form in (judged.positives(), judged.positives().expanded()):
        sets = ValidationSet(training_data(form), torch.device("cpu"))
        scores.append(sets.per_query(Sides.shared(lambda rows: rows[:, :4]))[0])
        monkeypatch.setattr("smec.validation.PAIRS_AT_ONCE", 25)
    assert (scores[0] == scores[1]).all() and 0 < scores[0].mean() < 1


def test_thousands_of_relevant_documents_take_no_table_of_all_pairs():
    """20,000 images of 8 classes: 50 million relevant pairs, which as int64 and float32 alone would be 600 MB."""
    count, classes = 20_000, np.arange(20_000) % 8
    rows = np.arange(count)
    tracemalloc.start()
    judged = Judgements.from_groups(rows, classes, rows, classes, rows, np.ones(count)).positives()
    some = judged.select(np.arange(0, count, 40))
    corpus = vectors(count=count, width=4)
    mined = mine_hard_negatives(corpus[some.query_rows], corpus, some, 10, some.query_rows)
    scored = per_query(some, np.tile(np.arange(100), (len(some), 1)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert judged.counts.sum() == 20_000 * 2_499
    assert (classes[mined] != classes[some.query_rows][:, None]).all() and len(scored["ndcg@10"]) == 500
    assert peak < 400e6
