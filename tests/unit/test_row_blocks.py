"""Reading by blocks: what is read, what is summed, and that pages of a file are let go."""

import numpy as np
import pytest

from smec import row_blocks
from smec.row_blocks import column_mean, column_variance, lies_in_file, released, rows_at_once, taken, through
from smec.scratch import stored

VECTORS = np.random.default_rng(0).normal(1.0, 2.0, size=(103, 7)).astype(np.float32)


@pytest.fixture(params=[1, 10, 103, 1000])
def block_rows(request, monkeypatch):
    monkeypatch.setattr(row_blocks, "MOST_ROWS", request.param)
    return request.param


@pytest.fixture(params=["memory", "file"])
def vectors(request, tmp_path):
    return stored([VECTORS], VECTORS.shape, np.float32, tmp_path if request.param == "file" else None)


def test_a_block_is_bounded_by_rows_and_by_bytes():
    assert rows_at_once(1) == row_blocks.MOST_ROWS
    assert rows_at_once(3584) * 3584 * 4 <= row_blocks.BLOCK_BYTES < (rows_at_once(3584) + 1) * 3584 * 4
    assert rows_at_once(10**12) == 1, "a row is never divided"


def test_blocks_are_all_rows_in_order(vectors, block_rows):
    found = [block.copy() for block in row_blocks.row_blocks(vectors)]
    assert len(found) == -(-103 // block_rows)
    assert np.array_equal(np.concatenate(found), VECTORS)
    rows = np.random.default_rng(1).integers(0, 103, 57)
    assert np.array_equal(np.concatenate(list(taken(vectors, rows))), VECTORS[rows])
    assert list(taken(vectors, rows[:0])) == []


def test_pages_that_were_let_go_are_read_again(tmp_path):
    filed = stored([VECTORS], VECTORS.shape, np.float32, tmp_path)
    for part in (filed, filed[10:20], filed.T, filed.reshape(-1)):
        assert lies_in_file(part)
        released(part)
    assert np.array_equal(filed, VECTORS)
    assert not lies_in_file(VECTORS) and not lies_in_file(filed[[1, 2]])
    released(VECTORS)


def test_one_block_gives_what_numpy_gives_to_the_last_bit(vectors):
    assert np.array_equal(column_mean(row_blocks.row_blocks(vectors)), VECTORS.mean(axis=0, dtype=np.float64))
    assert np.array_equal(column_variance(row_blocks.row_blocks(vectors)), VECTORS.var(axis=0, dtype=np.float64))


def test_many_blocks_give_the_same_up_to_rounding(vectors, block_rows):
    blocks = row_blocks.row_blocks
    assert column_mean(blocks(vectors)) == pytest.approx(VECTORS.mean(axis=0, dtype=np.float64), rel=1e-12)
    assert column_variance(blocks(vectors)) == pytest.approx(VECTORS.var(axis=0, dtype=np.float64), rel=1e-12)
    weight = VECTORS[:3]
    assert np.concatenate(list(through(blocks(vectors), weight))) == pytest.approx(VECTORS @ weight.T, rel=1e-4)
