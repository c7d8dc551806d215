"""Ranked documents as integers: the bits of the score, in order, above the row.

A key is uint64: comparing two keys compares the scores and then the rows. So whatever sorts integers breaks ties as
trec_eval does: the higher row first, rows being in the order of the ids. 0 stands for no document.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

MOST_ROWS = 1 << 32
SIGN = np.uint32(1 << 31)


def keys_of(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Keys:
    """Return the keys of finite `scores` and `rows` below 2^32, both of one shape."""
    bits = (scores + np.float32(0)).view(np.uint32)  # -0 + 0 is +0: the two zeros are one score
    ordered = np.where(bits & SIGN, ~bits, bits | SIGN)
    return (ordered.astype(np.uint64) << np.uint64(32)) | rows.astype(np.uint64)


def scores_of(keys: Keys) -> NDArray[np.float32]:
    """Return the scores of `keys`, -inf for none."""
    ordered = (keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ordered & SIGN, ordered & ~SIGN, ~ordered)
    return np.where(keys > 0, bits.view(np.float32), np.float32(-np.inf))


def rows_of(keys: Keys) -> NDArray[np.int64]:
    """Return the rows of `keys`, -1 for none."""
    return np.where(keys > 0, (keys & np.uint64(MOST_ROWS - 1)).astype(np.int64), -1)


def merge(held: Keys, owner: NDArray[np.int64], keys: Keys) -> None:
    """Keep in each row of `held` (n, k) the k largest of its keys and those of the new `keys` (P,) that it owns.

    Args:
        held: changed in place; the order within a row is undefined.
        owner: int64 (P,), ascending, the row of `held` that each new key is for.
        keys: the new keys.
    """
    if len(keys) == 0:
        return
    counts = np.bincount(owner, minlength=len(held))
    width = int(counts.max())
    table = np.zeros((len(held), width + held.shape[1]), dtype=np.uint64)
    table[owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]] = keys
    table[:, width:] = held
    table.partition(width, axis=1)
    held[:] = table[:, width:]
