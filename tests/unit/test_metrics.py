"""Metrics against values worked by hand and against the definitions written out."""

import math

import numpy as np
import pytest

from smec.errors import SmecError
from smec.judgements import Judgements
from smec.metrics import METRICS, evaluable, per_query


def judged(*queries):
    """Judgements from one {document: grade} per query."""
    triples = [(i, d, g) for i, grades in enumerate(queries) for d, g in grades.items()]
    return Judgements.from_triples(*(np.array(column) for column in zip(*triples, strict=True)))


def ranked(*rows):
    width = max(map(len, rows))
    return np.array([list(row) + [-1] * (width - len(row)) for row in rows], dtype=np.int64)


def discounted(grades):
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))


def test_by_hand():
    """Grades 3, 2, 1 (document 1, 2, 3); found: 9 (unjudged), 2, 1, 4 (judged 0)."""
    values = per_query(judged({1: 3, 2: 2, 3: 1, 4: 0}), ranked([9, 2, 1, 4]))
    assert set(values) == set(METRICS)
    assert values["ndcg@10"][0] == pytest.approx((2 / math.log2(3) + 3 / 2) / (3 + 2 / math.log2(3) + 1 / 2))
    assert values["recall@100"][0] == pytest.approx(2 / 3)
    assert values["mrr@10"][0] == 0.5
    assert all(column.dtype == np.float64 and column.shape == (1,) for column in values.values())


@pytest.mark.parametrize(
    "place, ndcg, recall, mrr",
    [(0, 1, 1, 1), (9, 1 / math.log2(11), 1, 0.1), (10, 0, 1, 0), (99, 0, 1, 0), (100, 0, 0, 0)],
)
def test_cut_offs(place, ndcg, recall, mrr):
    rows = list(range(1000, 1120))
    rows[place] = 5
    values = per_query(judged({5: 1}), ranked(rows))
    assert [values[m][0] for m in ("ndcg@10", "recall@100", "mrr@10")] == pytest.approx([ndcg, recall, mrr])


def test_the_order_is_the_search_s_whatever_the_document_names():
    """As strings, 9 sorts above 10 and 100: equal scores would let trec_eval put it first."""
    for order in ([9, 10, 100], [100, 10, 9], [10, 9, 100]):
        values = per_query(judged({10: 1}), ranked(order))
        assert values["mrr@10"][0] == 1 / (1 + order.index(10))


def test_padding_is_no_document():
    values = per_query(judged({0: 1}, {1: 1}, {2: 1}), ranked([3, 0], [1], []))
    assert values["mrr@10"].tolist() == [0.5, 1, 0]
    assert values["recall@100"].tolist() == [1, 1, 0]


def test_nothing_found_at_all():
    values = per_query(judged({0: 1}), np.empty((1, 0), np.int64))
    assert [values[m].tolist() for m in METRICS] == [[0.0]] * 3


def test_negative_grades_are_not_relevant_and_gain_nothing():
    values = per_query(judged({0: 2, 1: -1}), ranked([1, 0]))
    assert values["mrr@10"][0] == 0.5
    assert values["ndcg@10"][0] == pytest.approx(1 / math.log2(3))


def test_random_rankings_agree_with_the_definitions():
    rng = np.random.default_rng(0)
    grades = [
        dict(zip(rng.permutation(150)[:n].tolist(), rng.integers(0, 4, n).tolist(), strict=True)) for n in range(2, 30)
    ]
    grades = [{**g, next(iter(g)): 1} for g in grades]
    rankings = np.array([rng.permutation(150)[:120] for _ in grades])
    values = per_query(judged(*grades), rankings)
    for i, (known, rows) in enumerate(zip(grades, rankings.tolist(), strict=True)):
        gains = [known.get(row, 0) for row in rows]
        relevant = sum(g > 0 for g in known.values())
        first = next((rank for rank, gain in enumerate(gains[:10]) if gain > 0), math.inf)
        ideal = discounted(sorted(known.values(), reverse=True)[:10])
        assert values["ndcg@10"][i] == pytest.approx(discounted(gains[:10]) / ideal)
        assert values["recall@100"][i] == pytest.approx(sum(g > 0 for g in gains[:100]) / relevant)
        assert values["mrr@10"][i] == pytest.approx(1 / (first + 1))


def test_queries_without_a_relevant_document_are_taken_out():
    kept = evaluable(judged({0: 1, 1: 0}, {2: 0}, {3: -1, 4: 0}, {5: 2}))
    assert kept.query_rows.tolist() == [0, 3]
    assert kept.offsets.tolist() == [0, 2, 3]
    assert kept.corpus_rows.tolist() == [0, 1, 5]
    assert kept.relevance.tolist() == [1, 0, 2]
    assert len(evaluable(judged({2: 0}))) == 0


def test_queries_without_a_relevant_document_are_refused():
    with pytest.raises(SmecError, match=r"1 of 2 queries have no relevant document \(the first is row 1\)"):
        per_query(judged({0: 1}, {1: 0}), ranked([0], [1]))


@pytest.mark.parametrize(
    "judgements, rows, told",
    [
        (judged({0: 1}), ranked([0], [1]), "2 rankings were given for 1"),
        (judged({0: 1.5}), ranked([0]), "grade 1.5 is not a whole number"),
        (judged({0: 1}), ranked([3, 3]), "found twice"),
    ],
)
def test_faults_are_told(judgements, rows, told):
    with pytest.raises(SmecError, match=told):
        per_query(judgements, rows)
