"""Lists of images: csv and other text files that say what each image shows, read whole and checked."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from smec.errors import SmecError, nearest_name

Row = dict[str, str]
"""A line of a list by its columns; a column may be missing, or None where the line is too short."""


def cell(row: Mapping[str, str], column: str, source: Path | str, place: int) -> str:
    """Return what row `place` (from 0) of the list `source` has in a column, or raise `SmecError` for nothing."""
    value = text_of(row, column)
    if not value:
        raise SmecError(f"Line {place + 2} of {source} has nothing in the column {column!r}. Fill it in.")
    return value


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield the lines after the header of a csv file, None where they are too short, or raise `SmecError`."""
    try:
        reader = csv.DictReader(io.StringIO(utf8_text(path), newline=""), strict=True)
        for line, row in enumerate(reader, start=2):
            if None in row:
                raise SmecError(f"Line {line} of {path} has more cells than the header. Quote cells with commas.")
            yield row
    except csv.Error as error:
        raise SmecError(f"{path} is not a csv file ({error}). Save it again.") from error


def utf8_text(path: Path) -> str:
    """Return the text of a file without a byte order mark, or raise `SmecError` with the line that is not in UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SmecError(f"{path} cannot be read ({error.strerror or error}). Correct the path.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SmecError(f"Line {line} of {path} is not in UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def text_of(row: Mapping[str, str], column: str) -> str:
    """Return what a row has in a column, "" for nothing."""
    return (row.get(column) or "").strip()


def columns_of(rows: list[Row], path: Path) -> tuple[str, ...]:
    """Return the columns of the rows of a list, or raise `SmecError` where there are none."""
    if not rows:
        raise SmecError(f"{path} lists nothing. Check that the file is complete.")
    return tuple(rows[0])


def require_column(column: str | None, columns: Collection[str], source: Path | str, key: str) -> None:
    """Raise `SmecError` where a column that the option `key` names is not in a list; a `column` of None names none."""
    if column is not None and column not in columns:
        raise SmecError(f"{source} has no column {column!r}, which `{key}` names. {nearest_name(column, columns)}")
