"""Cells: means, paired intervals and tests by hand."""

import numpy as np
import pytest

from smec.analysis.cells import AVERAGE, averaged, cell, difference, means_over
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


FORUMS = {"cqa.tex": 0.2, "cqa.unix": 0.4, "cqa.gis": 0.9, "papers": 0.3}
GROUPS = {name: "cqa" for name in FORUMS if name.startswith("cqa.")}


def scored(level, queries, place, gain=0.0):
    spread = np.random.default_rng(queries).normal(0, 0.05, queries)
    return {("smec", 8): cell((level + gain + spread - spread.mean())[None], place)}


def test_a_group_counts_as_one_dataset():
    """By hand: the group is (.2 + .4 + .9) / 3 = .5 whatever its sizes, and the average (.5 + .3) / 2."""
    sets = {name: scored(level, 10 * place + 5, name) for place, (name, level) in enumerate(FORUMS.items())}
    means = means_over(sets, GROUPS)
    assert list(means) == ["cqa", AVERAGE]
    group, total = means["cqa"]["smec", 8], means[AVERAGE]["smec", 8]
    assert (group.mean, total.mean) == (pytest.approx(0.5), pytest.approx(0.4))
    assert (group.n_queries, total.n_queries) == (5 + 15 + 25, 5 + 15 + 25 + 35)
    assert sum(total.weights) == pytest.approx(1)
    expected = (np.mean([sets[name]["smec", 8].means for name in GROUPS], axis=0) + sets["papers"]["smec", 8].means) / 2
    np.testing.assert_allclose(total.means, expected)


def test_the_difference_of_averages_is_that_of_the_means():
    def total(gain):
        sets = {n: scored(v, 10 * i + 5, n, gain * (n == "papers")) for i, (n, v) in enumerate(FORUMS.items())}
        return means_over(sets, GROUPS)[AVERAGE]["smec", 8]

    found = difference(total(0.1), total(0.0))
    assert found[:3] == pytest.approx((0.05, 0.05, 0.05))  # the gain of one of two units, and paired nothing varies
    assert found.p == 1e-4


def test_the_interval_of_a_group_is_that_of_a_stratified_sample():
    """Queries are drawn within each forum: that one is easy and one hard does not widen the interval of their mean."""
    sets = {name: scored(level, 400, name) for name, level in FORUMS.items() if name in GROUPS}
    low, high = means_over(sets, GROUPS)["cqa"]["smec", 8].interval
    assert high - low == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(3 * 400), rel=0.1)


def test_a_group_of_one_is_that_dataset():
    sets = {"cqa.tex": scored(0.2, 5, "a"), "papers": scored(0.3, 5, "b")}
    means = means_over(sets, GROUPS)
    assert list(means) == [AVERAGE]
    assert means[AVERAGE]["smec", 8].mean == pytest.approx(0.25)
    assert means_over({"cqa.tex": sets["cqa.tex"]}, GROUPS) == {}


def test_a_mean_has_what_all_its_members_have():
    other = cell(TWO_SEEDS, "b")
    sets = {"a": {("smec", 8): other, ("smec", 4): other}, "b": {("smec", 8): other, ("pca", 8): other}}
    assert list(means_over(sets, {})[AVERAGE]) == [("smec", 8)]
    assert means_over({"a": {("smec", 4): other}, "b": {("smec", 8): other}}, {}) == {}
