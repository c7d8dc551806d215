"""Exact search: degenerate sizes first, then agreement with a float64 brute force and equality under rearrangement."""

import itertools
import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smec.errors import SmecError
from smec.query_workers import blas_threads, cut
from smec.search import exact_topk
from tests.conftest import unit


def vectors(rows, width, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(rows, width)))


def brute_force(queries, corpus, k):
    """Score in float64, round, order by score and row descending: what the search promises."""
    scores = np.array([[np.dot(q, c) for c in corpus.astype(np.float64)] for q in queries.astype(np.float64)])
    scores = scores.astype(np.float32).reshape(len(queries), len(corpus))
    rows = np.broadcast_to(np.arange(len(corpus)), scores.shape)
    order = np.lexsort((-rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), order


def assert_same(found, expected):
    for left, right in zip(found, expected, strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def test_one_query_one_document():
    scores, rows = exact_topk(np.float32([[1, 2]]), np.float32([[3, 4]]), 1)
    assert (scores.tolist(), rows.tolist()) == ([[11.0]], [[0]])
    assert (scores.dtype, rows.dtype) == (np.float32, np.int64)


def test_no_queries():
    scores, rows = exact_topk(np.empty((0, 3), np.float32), vectors(4, 3), 2)
    assert scores.shape == rows.shape == (0, 2)


@pytest.mark.parametrize("stored", [0, 3])
def test_k_above_the_corpus_is_padded(stored):
    scores, rows = exact_topk(vectors(2, 5), vectors(stored, 5, seed=1), 7)
    assert (rows[:, stored:] == -1).all()
    assert np.isneginf(scores[:, stored:]).all()
    assert (np.sort(rows[:, :stored], axis=1) == np.arange(stored)).all()


def test_one_dimension_and_negative_scores():
    scores, rows = exact_topk(np.float32([[2]]), np.float32([[-3], [1], [-1]]), 3)
    assert (scores.tolist(), rows.tolist()) == ([[2.0, -2.0, -6.0]], [[1, 2, 0]])


def test_the_two_zeros_are_a_tie():
    _, rows = exact_topk(np.float32([[1, 0]]), np.float32([[0.0, 1], [-0.0, 1], [0.0, 1]]), 3)
    assert rows.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("block_rows", [1, 999, 4096, 20_000])
def test_ten_thousand_identical_vectors(block_rows):
    corpus = np.repeat(vectors(1, 24), 10_000 if block_rows > 1 else 300, axis=0)
    scores, rows = exact_topk(vectors(3, 24, seed=1), corpus, 5, block_rows=block_rows)
    assert (rows == len(corpus) - 1 - np.arange(5)).all()
    assert (scores == scores[:, :1]).all()


def test_nearly_tied_scores_are_ordered_exactly():
    """Neighbours that differ in the last bit of one component, which a float32 product cannot tell apart."""
    base = vectors(1, 384)[0]
    corpus = np.repeat(base[None], 64, axis=0)
    corpus[np.arange(64), np.arange(64)] = np.nextafter(base[:64], np.float32(2))
    queries = vectors(4, 384, seed=3)
    for query, rows in zip(queries, exact_topk(queries, corpus, 64)[1], strict=True):
        exact = [sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(query, c, strict=True)) for c in corpus]
        rounded = np.array([float(value) for value in exact], dtype=np.float32)
        assert rows.tolist() == sorted(range(64), key=lambda row: (rounded[row], row), reverse=True)


def test_agrees_with_brute_force():
    queries, corpus = vectors(17, 33), vectors(501, 33, seed=1)
    scores, rows = exact_topk(queries, corpus, 100)
    expected = brute_force(queries, corpus, 100)
    np.testing.assert_array_equal(rows, expected[1])
    np.testing.assert_allclose(scores, expected[0], rtol=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 80), st.integers(1, 20)),
    k=st.integers(1, 90),
    block_rows=st.integers(1, 90),
    levels=st.sampled_from([2, 5, 1000]),
)
def test_small_integers_agree_with_brute_force_whatever_the_block(seed, shape, k, block_rows, levels):
    """Integer components make exact scores and, with few levels, many ties."""
    rng = np.random.default_rng(seed)
    asked, stored, width = shape
    queries = rng.integers(-levels, levels + 1, (asked, width)).astype(np.float32)
    corpus = rng.integers(-levels, levels + 1, (stored, width)).astype(np.float32)
    scores, rows = exact_topk(queries, corpus, k, block_rows=block_rows)
    expected = brute_force(queries, corpus, k)
    kept = min(k, stored)
    np.testing.assert_array_equal(rows[:, :kept], expected[1])
    np.testing.assert_array_equal(scores[:, :kept], expected[0])


@pytest.mark.parametrize("block_rows", [1, 7, 64, 999, 1000, 1001, 4000])
def test_result_does_not_depend_on_the_block_size(block_rows):
    queries, corpus = vectors(23, 48), vectors(1000, 48, seed=1)
    corpus[500:520] = corpus[3]
    assert_same(exact_topk(queries, corpus, 50, block_rows=block_rows), exact_topk(queries, corpus, 50))


@pytest.mark.parametrize(
    "limit, value",
    [
        ("smec.search.WAITING_BYTES", 1),
        ("smec.query_part.WAITING_PAIRS", 10),
        ("smec.query_part.NUMBERS_AT_ONCE", 7),
        ("smec.candidates.NumpySelector.tile_scores", 300),
        ("smec.candidates.NumpySelector.most_queries", 5),
        ("smec.candidates.CROWDED", 0),
    ],
)
def test_result_does_not_depend_on_the_limits(monkeypatch, limit, value):
    queries, corpus = vectors(23, 48), vectors(1000, 48, seed=1)
    expected = exact_topk(queries, corpus, 50, block_rows=300)
    monkeypatch.setattr(limit, value)
    assert_same(exact_topk(queries, corpus, 50, block_rows=300), expected)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_result_does_not_depend_on_the_threads(monkeypatch, workers):
    queries, corpus = vectors(161, 48), vectors(1000, 48, seed=1)
    expected = exact_topk(queries, corpus, 50)
    monkeypatch.setattr("smec.search.blas_threads", lambda: workers)
    assert_same(exact_topk(queries, corpus, 50, block_rows=300), expected)


def test_a_query_gets_the_same_answer_alone():
    queries, corpus = vectors(40, 64), vectors(700, 64, seed=1)
    scores, rows = exact_topk(queries, corpus, 20)
    for i in (0, 17, 39):
        assert_same(exact_topk(queries[i : i + 1], corpus, 20), (scores[i : i + 1], rows[i : i + 1]))


def test_row_order_only_renumbers():
    queries, corpus = vectors(9, 64), vectors(700, 64, seed=1)
    order = np.random.default_rng(2).permutation(700)
    scores, rows = exact_topk(queries, corpus, 30)
    moved_scores, moved_rows = exact_topk(queries, corpus[order], 30, block_rows=128)
    assert_same((moved_scores, order[moved_rows]), (scores, rows))


def test_documents_that_get_ever_better():
    """Each block beats all before it: the threshold of the last block lets everything through."""
    corpus = np.linspace(0.1, 1, 2000, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    _, rows = exact_topk(np.ones((3, 4), np.float32), corpus, 5, block_rows=250)
    assert (rows == 1999 - np.arange(5)).all()


def test_vectors_of_very_different_length():
    rng = np.random.default_rng(0)
    corpus = vectors(600, 16) * rng.choice([1e-3, 1.0, 1e4], size=(600, 1)).astype(np.float32)
    queries = vectors(5, 16, seed=1) * np.float32(100)
    assert_same(exact_topk(queries, corpus, 40, block_rows=70), exact_topk(queries, corpus, 40, block_rows=600))
    np.testing.assert_array_equal(exact_topk(queries, corpus, 40)[1], brute_force(queries, corpus, 40)[1])


def test_excluded_rows_are_never_found():
    corpus = vectors(300, 16)
    queries = corpus[[0, 5, 299, 7]]
    excluded = np.array([0, 5, 299, -1])
    scores, rows = exact_topk(queries, corpus, 300, block_rows=64, exclude_rows=excluded)
    assert rows[3, 0] == 7
    for query, hidden in enumerate([0, 5, 299]):
        assert set(rows[query].tolist()) == set(range(300)) - {hidden} | {-1}
        assert np.isneginf(scores[query, -1])
    best = exact_topk(queries, corpus, 2)[1]
    assert (best[:3, 1] == rows[:3, 0]).all()


def test_float16_and_float64_inputs_are_scored_as_float32():
    queries, corpus = vectors(4, 8), vectors(30, 8, seed=1)
    halves = corpus.astype(np.float16)
    assert_same(exact_topk(queries, halves, 3), exact_topk(queries, halves.astype(np.float32), 3))
    assert_same(exact_topk(queries.astype(np.float64), corpus, 3), exact_topk(queries, corpus, 3))


def test_inputs_are_not_changed():
    queries, corpus = vectors(4, 8), vectors(30, 8, seed=1)
    before = queries.copy(), corpus.copy()
    exact_topk(queries, corpus, 3, exclude_rows=np.array([1, 2, 3, -1]))
    assert_same((queries, corpus), before)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_products_give_the_same_bits(device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    queries, corpus = vectors(40, 64), vectors(2100, 64, seed=1)
    corpus[100:140] = corpus[7]
    excluded = np.arange(40)
    expected = exact_topk(queries, corpus, 20, exclude_rows=excluded)
    assert_same(exact_topk(queries, corpus, 20, block_rows=500, exclude_rows=excluded, device=device), expected)
    assert_same(exact_topk(queries, corpus, 5000, device=device), exact_topk(queries, corpus, 5000))


@pytest.mark.parametrize(
    "change, told",
    [
        ({"k": 0}, "k must be a whole number"),
        ({"k": 1.5}, "k must be a whole number"),
        ({"block_rows": 0}, "block_rows must be"),
        ({"queries": np.ones(3, np.float32)}, r"table \(n, d\)"),
        ({"queries": np.ones((2, 4), np.float32)}, "have 4 dimensions and the corpus has 3"),
        ({"queries": np.float32([[1, np.nan, 0]])}, "Row 0 of the queries"),
        ({"corpus": np.float32([[1, 0, 0], [0, np.inf, 0]])}, "Row 1 of the corpus"),
        ({"exclude_rows": np.array([1, 2])}, "exclude_rows must be"),
        ({"exclude_rows": np.array([0.5])}, "exclude_rows must be"),
    ],
)
def test_faults_are_told(change, told):
    arguments = {"queries": np.ones((1, 3), np.float32), "corpus": np.ones((5, 3), np.float32), "k": 2} | change
    with pytest.raises(SmecError, match=told):
        exact_topk(**arguments)


@pytest.mark.parametrize("asked", [1, 100])
def test_a_fault_in_a_late_block_names_its_row_and_ends_the_threads(monkeypatch, asked):
    monkeypatch.setattr("smec.search.blas_threads", lambda: 2)
    corpus = vectors(100, 3)
    corpus[77, 1] = np.nan
    before = threading.active_count()
    with pytest.raises(SmecError, match="Row 77 of the corpus"):
        exact_topk(vectors(asked, 3), corpus, 2, block_rows=10)
    assert threading.active_count() == before


def test_a_fault_in_a_thread_is_raised(monkeypatch):
    def fail(*_arguments):
        raise MemoryError("no room")

    monkeypatch.setattr("smec.search.blas_threads", lambda: 2)
    monkeypatch.setattr("smec.candidates.NumpySelector.passing", fail)
    with pytest.raises(MemoryError, match="no room"):
        exact_topk(vectors(100, 3), vectors(50, 3), 2, block_rows=10)


def test_the_threads_of_the_blas_are_given_back():
    before = blas_threads()
    exact_topk(vectors(200, 3), vectors(50, 3), 2)
    assert blas_threads() == before


@pytest.mark.parametrize(
    "queries, most, workers, expected",
    [(0, 512, 2, []), (1, 512, 2, [1]), (63, 512, 2, [63]), (64, 512, 2, [32, 32]), (1100, 512, 2, [275] * 4)],
)
def test_queries_are_cut_evenly(queries, most, workers, expected):
    parts = cut(queries, most, workers)
    assert [b - a for a, b in parts] == expected
    assert all(left[1] == right[0] for left, right in itertools.pairwise(parts))
