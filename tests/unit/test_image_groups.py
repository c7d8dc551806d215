"""Which split a group is of, and its captions."""

from smec.datasets.image_groups import distinct, latest_split, split_of_groups, split_of_queries


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
