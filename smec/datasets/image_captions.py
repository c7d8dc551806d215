"""Captions that are made of columns of a list, as a template says: '{name}: {keywords}'."""

import string
from collections.abc import Mapping

from smec.datasets.image_lists import text_of

HOW = "put columns in braces, such as '{name}: {keywords}', and write a brace that is text twice"


def checked_template(template: str) -> str:
    """Return a template, or raise `ValueError` where it cannot be filled in or names no column."""
    try:
        columns = columns_in(template)
        template.format(**dict.fromkeys(columns, "word"))
    except (ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"{template!r} cannot be filled in ({error}); {HOW}") from error
    if not columns:
        raise ValueError(f"{template!r} names no column; {HOW}")
    return template


def columns_in(template: str) -> list[str]:
    """Return the columns that a template names."""
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def caption(template: str, row: Mapping[str, str]) -> str:
    """Return the caption of a row of a list, "" where one of its columns has nothing."""
    values = {column: text_of(row, column) for column in columns_in(template)}
    return " ".join(template.format(**values).split()) if all(values.values()) else ""
