"""The one exception that a user is meant to read: what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable

MOST_LISTED = 40
"""Of so many names all are listed."""
LISTED_OF_MANY = 10


class SmecError(Exception):
    """A fault in the input or the surroundings, told in one paragraph.

    The message names the file, key or id at fault and says what to do. The command line prints it without a
    traceback and exits with status 1.
    """


def nearest_name(given: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the nearest known name, or lists the known names when none is near.

    Upper and lower case are the same. Of many names those are listed that contain the given one, else the most similar.
    """
    names = sorted(known)
    near = _most_similar(given, names, 1, 0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    if len(names) <= MOST_LISTED:
        return f"Known names: {', '.join(names)}."
    containing = [name for name in names if given and given.casefold() in name.casefold()]
    if containing:
        return f"Known names with it: {_shortened(containing, containing)}."
    return f"Known names: {_shortened(_most_similar(given, names, LISTED_OF_MANY, 0), names)}."


def _most_similar(given: str, names: list[str], count: int, cutoff: float) -> list[str]:
    # Names that differ in case only stand one after the other, the last of them for all.
    spelled = {name.casefold(): name for name in names}
    return [spelled[each] for each in difflib.get_close_matches(given.casefold(), spelled, n=count, cutoff=cutoff)]


def _shortened(first: list[str], names: list[str]) -> str:
    shown = first[:LISTED_OF_MANY]
    others = len(names) - len(shown)
    rest = f" and {others} {'other' if others == 1 else 'others'}" if others else ""
    return f"{', '.join(shown)}{rest}"
