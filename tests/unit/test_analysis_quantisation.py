"""Formats of stored vectors and search in them, against hand-worked codes, bounds and orders, and against FAISS."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smec.analysis.quantisation import Binary, Float32, ScalarQuantizer
from smec.analysis.quantised_search import DecodedCorpus, hamming_topk, rescored
from smec.errors import SmecError
from smec.search import exact_topk
from tests.conftest import unit

CALIBRATION = np.array([[0.0, -1.0], [1.0, 1.0], [0.25, 0.0]], dtype=np.float32)
"""Ranges [0, 1] and [-1, 1]."""


def drawn(rows, width, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(rows, width)))


def test_int8_by_hand():
    codec = ScalarQuantizer("int8", CALIBRATION)
    vectors = np.array([[0.5, 0.0], [0.0, -1.0], [1.0, 1.0], [2.0, -3.0]], dtype=np.float32)
    codes = codec.encode(vectors)
    assert codes.tolist() == [[127, 127], [0, 0], [255, 255], [255, 0]]
    expected = [[127.5 / 255, 255 / 255 - 1], [0.5 / 255, 1 / 255 - 1], [255.5 / 255, 511 / 255 - 1]]
    assert codec.decode(codes)[:3] == pytest.approx(np.array(expected), abs=1e-6)
    assert codec.bytes_per_vector == 2


def test_int8_is_off_by_half_a_step_at_most():
    vectors = drawn(500, 24)
    codec = ScalarQuantizer("int8", vectors)
    error = np.abs(codec.decode(codec.encode(vectors)) - vectors)
    half = np.ptp(vectors, axis=0) / 510
    assert (error <= half * 1.0001 + 1e-7).all()
    assert (error.max(axis=0) > 0.9 * half).all()  # the bound is tight


def test_int8_keeps_a_dimension_that_never_varies():
    vectors = drawn(20, 4)
    vectors[:, 1] = 0.25
    codec = ScalarQuantizer("int8", vectors)
    assert codec.decode(codec.encode(vectors))[:, 1] == pytest.approx(0.25)


def test_float16_is_numpys():
    vectors = drawn(50, 7)
    codec = ScalarQuantizer("float16", vectors[:1])
    assert np.array_equal(codec.decode(codec.encode(vectors)), vectors.astype(np.float16).astype(np.float32))
    assert codec.bytes_per_vector == 14


def test_float32_loses_nothing():
    vectors = drawn(5, 3)
    codec = Float32(3)
    codes = codec.encode(vectors)
    assert codes.shape == (5, codec.bytes_per_vector) == (5, 12)
    assert np.array_equal(codec.decode(codes), vectors)


def test_bits_by_hand_when_the_width_is_no_multiple_of_eight():
    codec = Binary(np.zeros(10, np.float32), np.full(10, 0.5, np.float32))
    vector = np.array([[1, -1, 1, 1, 0, -1, -1, 2, 0.4, -0.4]], dtype=np.float32)
    assert codec.encode(vector).tolist() == [[0b10110001, 0b10000000]]
    assert codec.encode_queries(vector).tolist() == [[0b10110001, 0b00000000]]
    assert codec.decode(codec.encode(vector)).tolist() == [[1, -1, 1, 1, -1, -1, -1, 1, 1, -1]]
    assert codec.relative(vector)[0, 0] == 0.5
    assert codec.bytes_per_vector == 2


def test_medians_halve_the_training_vectors():
    documents, queries = drawn(40, 6) + 0.2, drawn(30, 6, seed=1) - 0.1
    codec = Binary.calibrated(documents, queries, "median")
    assert (codec.decode(codec.encode(documents)).sum(axis=0) == 0).all()
    assert (np.unpackbits(codec.encode_queries(queries), axis=1, count=6).sum(axis=0) == 15).all()
    assert not Binary.calibrated(documents, queries, "zero").thresholds.any()


def test_nothing_to_calibrate_on_is_told():
    none, some = np.empty((0, 4), np.float32), drawn(3, 4)
    with pytest.raises(SmecError, match="at least one training vector"):
        ScalarQuantizer("int8", none)
    with pytest.raises(SmecError, match="threshold: zero"):
        Binary.calibrated(some, none, "median")


def test_hamming_by_hand():
    documents = np.array([[0b1111], [0b0000], [0b0011], [0b1100], [0b0111]], dtype=np.uint8)
    queries = np.array([[0b0011], [0b1111]], dtype=np.uint8)
    # distances: 2 2 0 4 1, and 0 4 2 2 1; among equals the higher row comes first
    assert hamming_topk(queries, documents, 4).tolist() == [[2, 4, 1, 0], [0, 4, 3, 2]]
    without = hamming_topk(queries, documents, 5, np.array([2, -1]))
    assert without.tolist() == [[4, 1, 0, 3, -1], [0, 4, 3, 2, 1]]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400), st.integers(1, 3), st.integers(1, 40), st.integers(1, 120), st.integers(0, 2**32 - 1))
def test_hamming_keeps_the_tie_rule(total, width, asked, k, seed):
    rng = np.random.default_rng(seed)
    documents = rng.integers(0, 256, (total, width), dtype=np.uint8)
    queries = rng.integers(0, 256, (asked, width), dtype=np.uint8)
    distances = np.unpackbits(queries[:, None] ^ documents, axis=2).sum(axis=2)
    rows = np.broadcast_to(np.arange(total), distances.shape)
    expected = np.full((asked, k), -1)
    expected[:, : min(k, total)] = np.lexsort((-rows, distances), axis=1)[:, :k]
    assert np.array_equal(hamming_topk(queries, documents, k), expected)


def test_rescoring_by_hand():
    documents = np.array([[1, 0], [0, 1], [1, 0], [-1, 0]], dtype=np.float32)
    queries = np.array([[1, 0], [0.1, 1]], dtype=np.float32)
    candidates = np.array([[3, 0, 2, -1], [0, 1, -1, 3]])
    assert rescored(queries, candidates, lambda rows: documents[rows]).tolist() == [[2, 0, 3, -1], [1, 0, 3, -1]]


def test_rescoring_all_is_exact_search(monkeypatch):
    monkeypatch.setattr("smec.analysis.quantised_search.NUMBERS_AT_ONCE", 1000)  # several parts
    documents, queries = drawn(60, 12), drawn(20, 12, seed=1)
    everything = np.tile(np.arange(60), (20, 1))
    assert np.array_equal(
        rescored(queries, everything, lambda rows: documents[rows]), exact_topk(queries, documents, 60)[1]
    )


def test_int8_search_is_that_of_the_faiss_index():
    documents, queries = drawn(300, 16), drawn(25, 16, seed=1)
    index = faiss.IndexScalarQuantizer(16, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(documents[:100])
    index.add(documents)
    codec = ScalarQuantizer("int8", documents[:100])
    scores, rows = exact_topk(queries, DecodedCorpus(documents, codec), 10)
    told, found = index.search(queries, 10)
    assert scores == pytest.approx(told, abs=1e-5)
    assert np.array_equal(rows, found)
    assert index.code_size == codec.bytes_per_vector
