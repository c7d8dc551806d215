"""The one exception that a user is meant to read: what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class SmecError(Exception):
    """A fault in the input or the surroundings, told in one paragraph.

    The message names the file, key or id at fault and says what to do. The command line prints it without a
    traceback and exits with status 1.
    """


def nearest_name(given: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the nearest known name, or lists the known names when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else f"Known names: {', '.join(names)}."
