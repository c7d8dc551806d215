"""Progress bars on long work: shown on a terminal, silent in a log."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """Iterate over `items` under a bar named `what`; nothing is printed when stderr is not a terminal."""
    return tqdm(items, desc=what, total=total, disable=None, leave=False, dynamic_ncols=True)
