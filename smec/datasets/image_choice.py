"""Which rows of a list of images `query_where` and `corpus_where` choose."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from smec.datasets.image_lists import Row, require_column, text_of
from smec.errors import SmecError, nearest_name

MOST_NAMED = 20


def one_or_more(values: Any) -> Any:
    """Return a single text as a tuple of it, so that `{maker: A}` is `{maker: [A]}`; all else unchanged."""
    return (values,) if isinstance(values, str) else values


def chosen(
    rows: Sequence[Row], columns: Collection[str], where: Mapping[str, tuple[str, ...]], source: str, key: str
) -> list[bool]:
    """Say for each row whether every column has one of the values that are wanted there.

    Args:
        rows: of the list.
        columns: that the list has.
        where: wanted values by column.
        source: the list, for messages.
        key: the option that says what is wanted, for messages.

    Raises:
        SmecError: a column is missing, a value occurs in no row, or no row has all that is wanted.
    """
    wanted = {column: {value.strip() for value in values} for column, values in where.items()}
    for column, values in wanted.items():
        require_column(column, columns, source, key)
        known = {text_of(row, column) for row in rows}
        for value in sorted(values - known):
            raise SmecError(
                f"No image of {source} has {value!r} in the column {column!r}, which `{key}` asks for. "
                f"{_nearest(value, sorted(known))}"
            )
    found = [all(text_of(row, column) in values for column, values in wanted.items()) for row in rows]
    if not any(found):
        told = {column: list(values) for column, values in where.items()}
        raise SmecError(f"`{key}: {told}` fits none of the {len(rows)} images of {source}. Ask for less.")
    return found


def _nearest(value: str, known: list[str]) -> str:
    near = difflib.get_close_matches(value, known, n=1)
    if near or len(known) <= MOST_NAMED:
        return nearest_name(value, near or known)
    return f"It has {len(known)} values, such as {', '.join(known[:MOST_NAMED])}."
