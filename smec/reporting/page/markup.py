"""reStructuredText with data in it: whatever comes from a file is escaped, so that it cannot become markup."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd

INDENT = " " * 3
SPECIAL = re.compile(r"([\\*_`|:@])")
SPACES = re.compile(r"\s+")
WITH_INTERVAL = re.compile(r"([^\[]+?)\s*(\[[^\[\]]*\])\s*(\S?)")
"""A value, its interval, and a mark that belongs to the value."""
NOTHING = "\\ "
"""An escaped space: no text, and what follows is neither a list nor a directive."""
RULES = "=-~"
"""Characters under the headings of each level."""


class Markup(str):
    """Text that is reStructuredText already."""

    __slots__ = ()


@dataclass(frozen=True)
class Cells:
    """A table: the head, and rows that begin with their name; texts, or `Markup`."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    @staticmethod
    def of(frame: pd.DataFrame) -> "Cells":
        """Take texts from a frame; its index names the rows."""
        rows = [[str(name), *map(str, row)] for name, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)]
        return Cells([str(frame.index.name or ""), *map(str, frame.columns)], rows)


def escaped(text: str) -> Markup:
    """Return plain text on one line, as text."""
    return Markup(SPECIAL.sub(r"\\\1", SPACES.sub(" ", text)))


def in_template(value: object) -> str:
    """Return what a template puts into the text: markup as it is, all else escaped."""
    return value if isinstance(value, Markup) else escaped(str(value))


def literal(text: str) -> Markup:
    """Return text in a fixed-width face."""
    return Markup(f"``{' '.join(text.split())}``") if text.strip() else Markup("")


def prose(text: str) -> Markup:
    """Return a docstring's sentence: text, with what stands in backticks in a fixed-width face."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return Markup("".join(literal(part) if inside % 2 else escaped(part) for inside, part in enumerate(parts)))


def heading(text: str, level: int) -> Markup:
    """Return a heading; level 0 is that of a section."""
    title = escaped(text.strip())
    return Markup(f"{title}\n{RULES[level] * 2 * len(title)}\n")


def cell(text: str) -> Markup:
    """Return the text of a cell, an interval in brackets on a line of its own."""
    found = WITH_INTERVAL.fullmatch(text.strip())
    if found:
        value, interval, mark = map(escaped, found.groups())
        return Markup(rf"{NOTHING}{value}{mark}\ :interval:`{interval}`")
    return Markup(NOTHING + escaped(text.strip()) if text.strip() else "")


def table(cells: Cells, title: str = "") -> Markup:
    """Return a table that can be sorted, in a box of its own that scrolls where the page is narrow.

    Args:
        cells: what it shows.
        title: caption above the table.
    """
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(
        [value if isinstance(value, Markup) else cell(value) for value in row] for row in (cells.head, *cells.rows)
    )
    options = [":class: sortable", ":header-rows: 1", ":stub-columns: 1", ":widths: auto"]
    body = [f".. csv-table:: {escaped(title)}".rstrip(), *(INDENT + option for option in options), ""]
    body += [INDENT + line for line in lines.getvalue().splitlines()]
    return Markup("\n".join([".. container:: scroll", "", *(INDENT + line for line in body), ""]))


def figure(path: str, caption: str, kind: str) -> Markup:
    """Return a figure with its caption, which is its alternative text too.

    Args:
        path: of the image.
        caption: what to see.
        kind: `narrow` or `wide`, for the style sheet.
    """
    lines = [
        f".. figure:: {quote(path)}",
        f"{INDENT}:alt: {SPACES.sub(' ', caption)}",  # taken as it is
        f"{INDENT}:figclass: {kind}",
        "",
        INDENT + NOTHING + escaped(caption),
        "",
    ]
    return Markup("\n".join(lines))


def block(text: str) -> Markup:
    """Return lines in a fixed-width face, as they are."""
    return Markup("\n".join(["::", "", *(INDENT + line for line in text.splitlines()), ""]))


def details(summary: str, content: str) -> Markup:
    """Return content that a click on its summary unfolds."""
    lines = [f"{INDENT}{line}" if line else "" for line in content.splitlines()]
    return Markup("\n".join([".. class:: details", "", escaped(summary), *lines, ""]))
