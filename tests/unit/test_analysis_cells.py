"""Cells: means, paired intervals and tests by hand."""

import numpy as np
import pytest

from smec.analysis.cells import averaged, cell, difference
from smec.errors import SmecError

TWO_SEEDS = np.array([[0.0, 1.0, 0.5, 0.5], [1.0, 1.0, 0.5, 0.5]])


def test_numbers_of_a_cell_by_hand():
    found = cell(TWO_SEEDS, "docs/minilm")
    assert (found.mean, found.n_queries, found.n_seeds) == (0.625, 4, 2)
    low, high = found.interval
    assert 0.0 <= low < 0.625 < high <= 1.0


def test_a_constant_difference_has_no_width():
    """Both have the same hard and easy queries and the same good and bad seed: paired, nothing is left to vary."""
    found = difference(cell(TWO_SEEDS + 0.25, "a"), cell(TWO_SEEDS, "a"))
    assert found[:3] == pytest.approx((0.25, 0.25, 0.25))
    assert found.p == 2 / 16  # of the 2^4 sign patterns only all plus and all minus reach the sum


def test_without_pairing_the_interval_would_be_wide():
    first, second = cell(TWO_SEEDS + 0.25, "a"), cell(TWO_SEEDS, "b")
    assert np.ptp(first.means - second.means) > 0.2


def test_one_seed_against_two():
    one = cell(TWO_SEEDS[:1], "a")
    found = difference(one, cell(TWO_SEEDS, "a"))
    assert found.mean == pytest.approx(0.5 - 0.625)
    assert found.low < found.mean < found.high <= 0
    assert found.p == 1.0  # only the first query differs, and either sign of it is as likely


def test_datasets_weigh_the_same_whatever_their_size():
    small, large = np.zeros((1, 2)), np.ones((1, 100))
    found = averaged([cell(small, "a"), cell(large, "b")])
    assert (found.mean, found.n_queries) == (0.5, 102)
    gained = averaged([cell(small + 0.5, "a"), cell(large, "b")])
    assert difference(gained, found).mean == pytest.approx(0.25)
    assert difference(gained, found).p == pytest.approx(0.5, abs=0.02)  # ++ and -- of the patterns of two queries


def test_other_queries_cannot_be_paired():
    with pytest.raises(SmecError, match="2 and the other 4"):
        difference(cell(TWO_SEEDS[:, :2], "a"), cell(TWO_SEEDS, "a"))
    with pytest.raises(SmecError, match="on 1 datasets and the other on 2"):
        difference(cell(TWO_SEEDS, "a"), averaged([cell(TWO_SEEDS, "a"), cell(TWO_SEEDS, "b")]))
