"""Which split a group is of, and its captions."""

from smec.datasets.image_groups import (
    distinct,
    first_of_those_that_share,
    latest_split,
    split_of_groups,
    split_of_queries,
)


def test_unpublished_groups_are_split_as_a_whole():
    ids, groups = [f"i{i}" for i in range(600)], [f"g{i // 3}" for i in range(600)]
    split, rule = split_of_queries(ids, [""] * 600, groups, [""] * 600, 0.1, 0.2)
    assert set(split.values()) == {"train", "validation", "test"} and "class or caption" in rule
    for group in set(groups):
        assert len({split[i] for i, g in zip(ids, groups, strict=True) if g == group}) == 1


def test_published_splits_are_kept_per_image():
    split, _ = split_of_queries(list("abc"), ["train", "validation", "test"], ["g"] * 3, [""] * 3, 0.1, 0.2)
    assert split == {"a": "train", "b": "validation", "c": "test"}


def test_a_group_in_two_splits_is_of_the_later():
    groups, published = list("aabbc"), ["train", "test", "validation", "train", "train"]
    assert latest_split(groups, published) == {"a": "test", "b": "validation", "c": "train"}
    split, rule = split_of_groups(groups, published, groups, 0.1, 0.2)
    assert split == {"a": "test", "b": "validation", "c": "train"} and "counts for test" in rule


def test_captions_are_told_apart_within_a_group():
    assert distinct(["g", "g", "h", "g"], ["two", "one", "one", "two"]) == {
        "caption:g": ("g", "one"),
        "caption:g#1": ("g", "two"),
        "caption:h": ("h", "one"),
    }


def test_no_caption_is_lost_to_a_group_that_is_called_like_its_id():
    found = distinct(["a", "a", "a", "a#1"], ["one", "two", "three", "other"])
    assert found == {
        "caption:a": ("a", "one"),
        "caption:a#2": ("a", "three"),
        "caption:a#3": ("a", "two"),
        "caption:a#1": ("a#1", "other"),
    }


def test_groups_are_linked_by_captions_and_through_others():
    groups, captions = list("dcbae"), ["x", "x", "y", "z", "z"]
    assert first_of_those_that_share(groups, captions) == {"a": "a", "b": "b", "c": "c", "d": "c", "e": "a"}
    groups, captions = list("dcbbcaef"), ["x", "x", "y", "z", "z", "y", "own", ""]
    assert first_of_those_that_share(groups, captions) == dict.fromkeys("abcd", "a") | {"e": "e", "f": "f"}


def test_groups_that_share_nothing_are_split_as_by_their_own_names():
    groups = [f"g{i}" for i in range(200)]
    alone, rule = split_of_groups(groups, [""] * 200, [f"caption {i}" for i in range(200)], 0.1, 0.2)
    assert alone == split_of_queries(groups, [""] * 200, groups, [""] * 200, 0.1, 0.2)[0] and "share" not in rule
    shared = [f"caption {i // 2}" for i in range(200)]
    paired, rule = split_of_groups(groups, [""] * 200, shared, 0.1, 0.2)
    assert paired == split_of_queries(groups, [""] * 200, groups, shared, 0.1, 0.2)[0], "the same for images alone"
    assert all(paired[f"g{i}"] == paired[f"g{i + 1}"] for i in range(0, 200, 2)) and "share a caption" in rule
