"""Groups of images: their splits and their captions."""

import itertools
from collections.abc import Mapping, Sequence

from smec.datasets.splits import POSITION, TEST, TRAIN, VALIDATION, complete_split, split_by_hash

PRECEDENCE = (TRAIN, VALIDATION, TEST)
"""A group that is published in two splits is of the later one."""


def split_of_queries(
    ids: Sequence[str],
    published: Sequence[str],
    groups: Sequence[str],
    captions: Sequence[str],
    validation: float,
    test: float,
) -> tuple[dict[str, str], str]:
    """Split queries one by one where a test split is published, else whole groups, so that test groups are unseen.

    Args:
        ids: of the queries.
        published: split of each, "" for none.
        groups: of each query.
        captions: of each query, "" for none. They are not searched, but images are then split as their captions are.
        validation: share of the queries (or groups) that validate.
        test: share that test, where no test split is published.

    Returns:
        The split of each id, and one sentence for the manifest.
    """
    names = set(published)
    if TEST in names and len(names) > 1:
        return complete_split(dict(zip(ids, published, strict=True)), validation, test)
    if names == {TRAIN, VALIDATION}:
        of_group, _ = split_by_hash(sorted(set(groups)), 0, test)
        rule = (
            f"validation as published; train as published, of which test is whole classes below {test:g} ({POSITION})"
        )
        split = [VALIDATION if name == VALIDATION else of_group[g] for name, g in zip(published, groups, strict=True)]
        return dict(zip(ids, split, strict=True)), _of_groups(rule)
    of_group, rule = _by_hash(groups, captions, validation, test)
    if any(names):
        rule = f"only {names.pop()} is published, so whole classes are split anew; {rule}"
    return {query: of_group[group] for query, group in zip(ids, groups, strict=True)}, rule


def split_of_groups(
    groups: Sequence[str], published: Sequence[str], captions: Sequence[str], validation: float, test: float
) -> tuple[dict[str, str], str]:
    """Split groups as published, or by hash where nothing is; a group with images in several splits is of the last one.

    By hash, groups that share a caption are of one split, so that no caption of the test is trained on.

    Args:
        groups: of each image.
        published: split of each image, "" for none.
        captions: of each image.
        validation: as in `split_of_queries`.
        test: as in `split_of_queries`.

    Returns:
        The split of each group, and one sentence for the manifest.
    """
    several = "by caption, one in several splits counts for test, then validation; "
    if len(set(published)) > 1:
        split, rule = complete_split(latest_split(groups, published), validation, test)
        return split, several + _of_groups(rule)
    of_group, rule = _by_hash(groups, captions, validation, test)
    return of_group, (several if any(published) else "") + rule


def first_of_those_that_share(groups: Sequence[str], captions: Sequence[str]) -> dict[str, str]:
    """Return for each group the first, by name, of all that it shares a caption with, directly or through others.

    Groups do not share the caption "", which is none.
    """
    first = {group: group for group in sorted(set(groups))}

    def found(group: str) -> str:
        while first[group] != group:
            first[group] = first[first[group]]
            group = first[group]
        return group

    has: dict[str, str] = {}
    for group, caption in zip(groups, captions, strict=True):
        if not caption:
            continue
        one, other = sorted((found(group), found(has.setdefault(caption, group))))
        first[other] = one
    return {group: found(group) for group in first}


def latest_split(groups: Sequence[str], published: Sequence[str]) -> dict[str, str]:
    """Return for each group the last of the published splits of its images: test, else validation, else train."""
    latest: dict[str, str] = {}
    for group, split in zip(groups, published, strict=True):
        latest[group] = max(latest.get(group, TRAIN), split, key=PRECEDENCE.index)
    return latest


def distinct(groups: Sequence[str], captions: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Return the distinct captions of each group: id -> (group, caption); an id is made of the group and a count."""
    captions_of: dict[str, dict[str, None]] = {}
    for group, caption in zip(groups, captions, strict=True):
        captions_of.setdefault(group, {})[caption] = None
    found: dict[str, tuple[str, str]] = {}
    for group, known in captions_of.items():
        first, *more = sorted(known)
        found[f"caption:{group}"] = group, first
        # A group may be called as another one's caption is numbered: "a#1".
        numbers = (number for number in itertools.count(1) if f"{group}#{number}" not in captions_of)
        found.update({f"caption:{group}#{next(numbers)}": (group, caption) for caption in more})
    return found


def _by_hash(
    groups: Sequence[str], captions: Sequence[str], validation: float, test: float
) -> tuple[dict[str, str], str]:
    first = first_of_those_that_share(groups, captions)
    of_first, rule = split_by_hash(sorted(set(first.values())), validation, test)
    rule = _of_groups(rule)
    if len(of_first) < len(first):
        rule += "; groups that share a caption go with the first of them"
    return {group: of_first[first[group]] for group in first}, rule


def _of_groups(rule: str) -> str:
    return rule.replace("sha256(query id)", "sha256(class or caption)").replace("position of a query", "its position")
