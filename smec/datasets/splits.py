"""Which queries train, choose and test: published splits where there are some, a hash of the query id elsewhere."""

import hashlib
from collections.abc import Iterable, Mapping

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
HASH_RANGE = 1 << 64
POSITION = "position of a query = first 8 bytes of sha256(query id) / 2^64"


def hashed_fraction(identifier: str) -> float:
    """Return a number in [0, 1) that depends on nothing but `identifier`: the head of its sha256."""
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8]) / HASH_RANGE


def split_by_hash(query_ids: Iterable[str], validation: float, test: float) -> tuple[dict[str, str], str]:
    """Assign each query id to test, validation or train by `hashed_fraction`, and describe the rule.

    Returns:
        The split of each id, and one sentence for the manifest.
    """
    rule = f"{POSITION}: test below {test:g}, validation from there below {test + validation:g}, train the rest"
    return {identifier: _by_position(identifier, validation, test) for identifier in query_ids}, rule


def complete_split(published: Mapping[str, str], validation: float, test: float) -> tuple[dict[str, str], str]:
    """Complete published splits, and describe the rule.

    What is published is used as such. Missing validation queries are taken from train, missing training queries from
    validation, missing test queries from train, each by hash; with test queries alone, all are split by hash.

    Args:
        published: the published split of each judged query id: train, validation or test.
        validation: share of the training queries (or of all, see above) that validate.
        test: share of the queries that test where none are published as such.

    Returns:
        The split of each id, and one sentence for the manifest.
    """
    names = set(published.values())
    if names == set(SPLITS):
        return dict(published), "train, validation and test as published"
    if names in ({TRAIN, TEST}, {VALIDATION, TEST}):
        given = (names - {TEST}).pop()
        rule = (
            f"test as published; {given} as published, of which validation is what lies below {validation:g} and train "
        )
        rule += f"the rest ({POSITION})"
        return {q: name if name == TEST else _by_position(q, validation, 0) for q, name in published.items()}, rule
    if names == {TRAIN, VALIDATION}:
        rule = f"validation as published; train as published, of which test is what lies below {test:g} ({POSITION})"
        return {q: name if name == VALIDATION else _by_position(q, 0, test) for q, name in published.items()}, rule
    return split_by_hash(published, validation, test)


def _by_position(identifier: str, validation: float, test: float) -> str:
    position = hashed_fraction(identifier)
    return TEST if position < test else VALIDATION if position < test + validation else TRAIN
