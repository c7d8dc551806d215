"""Linear compressors by hand, and the case where they must change nothing."""

import numpy as np
import pytest

from smec.errors import SmecError
from smec.linear import LinearCompressor, normalized, truncated
from smec.method import Stage
from tests.conftest import unit
from tests.fitting import compressor_of, cosines, fit_run


def test_normalized_rows_by_hand_and_a_zero_row_stays_zero():
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]], np.float32)
    assert normalized(rows).tolist() == pytest.approx(np.array([[0.6, 0.8], [0, 0], [0, -1]]))
    assert normalized(rows).dtype == np.float32
    assert normalized(rows[:0]).shape == (0, 2)


def test_truncated_cuts_and_leaves_the_input_alone():
    rows = np.array([[3.0, 4.0, 12.0]], np.float32)
    assert truncated(rows, 2).tolist() == [pytest.approx([0.6, 0.8])]
    assert rows.tolist() == [[3.0, 4.0, 12.0]]


def test_weight_and_bias_by_hand():
    tensors = {"w": np.array([[2.0, 0.0], [0.0, 1.0]], np.float32), "w_bias": np.array([1.0, 0.0], np.float32)}
    fitted = LinearCompressor.from_stages([Stage("m", tensors, {2: "w", 1: "w"})]).corpus
    vectors = np.array([[1.0, 4.0]], np.float32)
    assert fitted.sizes == (2, 1)
    assert fitted.transform(vectors, 2)[0] == pytest.approx([0.6, 0.8])
    assert fitted.transform(vectors, 1)[0] == pytest.approx([1.0])


def test_of_two_stages_that_serve_a_size_the_later_counts():
    first = Stage("m", {"w": np.eye(2, dtype=np.float32)}, {2: "w", 1: "w"})
    second = Stage("m", {"w": np.eye(2, dtype=np.float32)[::-1]}, {1: "w"})
    fitted = LinearCompressor.from_stages([first, second]).corpus
    vectors = np.array([[0.6, -0.8]], np.float32)
    assert fitted.transform(vectors, 2)[0] == pytest.approx([0.6, -0.8])
    assert fitted.transform(vectors, 1)[0] == pytest.approx([-1.0])


def test_no_stage_is_refused():
    with pytest.raises(SmecError, match=r"at least one stage"):
        LinearCompressor.from_stages([])


def test_an_unknown_size_and_another_backbone_are_refused():
    fitted = LinearCompressor.from_stages([Stage("m", {"w": np.eye(4, dtype=np.float32)}, {4: "w", 2: "w"})]).corpus
    with pytest.raises(SmecError, match=r"not fitted for 3 dimensions; it has \[4, 2\]"):
        fitted.transform(unit(np.ones((2, 4))), 3)
    with pytest.raises(SmecError, match=r"5 dimensions and the compressor reads 4: it was fitted on another backbone"):
        fitted.transform(unit(np.ones((2, 5))), 2)


@pytest.mark.parametrize("name", ["truncation", "random", "pca"])
def test_at_full_width_frozen_baselines_change_no_cosine(name, planted_data):
    fitted = compressor_of(name, fit_run(name, planted_data))
    vectors = planted_data.documents
    assert cosines(fitted.transform(vectors, 32)) == pytest.approx(cosines(vectors), abs=1e-5)
    if name == "truncation":
        assert fitted.transform(vectors, 32) == pytest.approx(vectors, abs=1e-6)
