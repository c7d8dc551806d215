"""Pairs of equal group, and which split a group is of."""

import tracemalloc

import numpy as np
import pytest

from smec.datasets.image_pairs import distinct, latest_split, related, split_of_groups, split_of_queries


def test_pairs_by_hand():
    left, right = related(["b", "a", "x", "b"], ["a", "b", "b", "c"])
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 0), (3, 1), (3, 2)]


@pytest.mark.parametrize(("left", "right"), [([], []), (["a"], []), ([], ["a"]), (["a"], ["b"])])
def test_no_pair(left, right):
    assert [len(rows) for rows in related(left, right)] == [0, 0]


def test_pairs_equal_a_full_comparison():
    rng = np.random.default_rng(0)
    left, right = ([f"g{i}" for i in rng.integers(0, 9, size)] for size in (50, 70))
    found = set(zip(*(rows.tolist() for rows in related(left, right)), strict=True))
    assert found == {(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a == b}


def test_memory_is_that_of_the_pairs():
    """All pairs of 20,000 times 20,000 would be 400 MB as single bytes; there are 400,000 of equal group."""
    groups = [str(i // 20) for i in range(20_000)]
    tracemalloc.start()
    left, _ = related(groups, groups)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(left) == 400_000 and peak < 60e6


def test_unpublished_groups_are_split_as_a_whole():
    ids, groups = [f"i{i}" for i in range(600)], [f"g{i // 3}" for i in range(600)]
    split, rule = split_of_queries(ids, [""] * 600, groups, 0.1, 0.2)
    assert set(split.values()) == {"train", "validation", "test"} and "class or caption" in rule
    for group in set(groups):
        assert len({split[i] for i, g in zip(ids, groups, strict=True) if g == group}) == 1


def test_published_splits_are_kept_per_image():
    split, _ = split_of_queries(list("abc"), ["train", "validation", "test"], ["g"] * 3, 0.1, 0.2)
    assert split == {"a": "train", "b": "validation", "c": "test"}


def test_a_group_in_two_splits_is_of_the_later():
    groups, published = list("aabbc"), ["train", "test", "validation", "train", "train"]
    assert latest_split(groups, published) == {"a": "test", "b": "validation", "c": "train"}
    split, rule = split_of_groups(groups, published, 0.1, 0.2)
    assert split == {"a": "test", "b": "validation", "c": "train"} and "counts for test" in rule


def test_captions_are_told_apart_within_a_group():
    assert distinct(["g", "g", "h", "g"], ["two", "one", "one", "two"]) == {
        "caption:g": ("g", "one"),
        "caption:g#1": ("g", "two"),
        "caption:h": ("h", "one"),
    }
