"""Groups of images: their splits and their captions."""

from collections.abc import Mapping, Sequence

from smec.datasets.splits import TEST, TRAIN, VALIDATION, complete_split, split_by_hash

PRECEDENCE = (TRAIN, VALIDATION, TEST)
"""A group that is published in two splits is of the later one."""


def split_of_queries(
    ids: Sequence[str], published: Sequence[str], groups: Sequence[str], validation: float, test: float
) -> tuple[dict[str, str], str]:
    """Split queries one by one where splits are published, else whole groups by hash, so that test groups are unseen.

    Args:
        ids: of the queries.
        published: split of each, "" for none.
        groups: of each query.
        validation: share of the queries (or groups) that validate.
        test: share that test, where no test split is published.

    Returns:
        The split of each id, and one sentence for the manifest.
    """
    if any(published):
        return complete_split(dict(zip(ids, published, strict=True)), validation, test)
    of_group, rule = _by_hash(groups, validation, test)
    return {query: of_group[group] for query, group in zip(ids, groups, strict=True)}, rule


def split_of_groups(
    groups: Sequence[str], published: Sequence[str], validation: float, test: float
) -> tuple[dict[str, str], str]:
    """Split groups as published, or by hash where nothing is; a group with images in several splits is of the last one.

    Args:
        groups: of each image.
        published: split of each image, "" for none.
        validation: as in `split_of_queries`.
        test: as in `split_of_queries`.

    Returns:
        The split of each group, and one sentence for the manifest.
    """
    if not any(published):
        return _by_hash(groups, validation, test)
    split, rule = complete_split(latest_split(groups, published), validation, test)
    return split, f"by caption, one in several splits counts for test, then validation; {_of_groups(rule)}"


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
    return {
        f"caption:{group}" + (f"#{place}" if place else ""): (group, caption)
        for group, known in captions_of.items()
        for place, caption in enumerate(sorted(known))
    }


def _by_hash(groups: Sequence[str], validation: float, test: float) -> tuple[dict[str, str], str]:
    split, rule = split_by_hash(sorted(set(groups)), validation, test)
    return split, _of_groups(rule)


def _of_groups(rule: str) -> str:
    return rule.replace("sha256(query id)", "sha256(class or caption)").replace("position of a query", "its position")
