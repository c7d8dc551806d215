"""Lists of images: csv and other text files that say what each image shows, read whole and checked."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from smec.errors import SmecError, nearest_name

Row = dict[str, str]
"""A line of a list by its columns; a column may be missing, or None where the line is too short."""


def cell(row: Mapping[str, str], column: str, source: Path | str, line: int) -> str:
    """Return what the row at a line (from 1) of the list `source` has in a column, or raise `SmecError` for nothing."""
    value = text_of(row, column)
    if not value:
        raise SmecError(f"Line {line} of {source} has nothing in the column {column!r}. Fill it in.")
    return value


def csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows after the header of a csv file, each with its line in the file.

    Cells are None where a row is too short. Lines count from 1, blank ones too; a row of several lines has the last.

    Raises:
        SmecError: the file cannot be read or is no csv, a row is too long, or two columns have one name.
    """
    reader = csv.DictReader(io.StringIO(utf8_text(path), newline=""), strict=True)
    try:
        _refuse_repeated_columns(reader.fieldnames or (), path)
        for row in reader:
            if None in row:
                raise SmecError(
                    f"Line {reader.line_num} of {path} has more cells than the header. Quote cells with commas."
                )
            yield reader.line_num, row
    except csv.Error as error:
        line = reader.reader.line_num
        raise SmecError(f"{path} is not a csv file (line {line}: {error}). Save it again.") from error


def utf8_text(path: Path) -> str:
    """Return the text of a file without a byte order mark.

    Raises:
        SmecError: the file cannot be read, or a line, which is named, is not in UTF-8 or has a NUL character.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SmecError(f"{path} cannot be read ({error.strerror or error}). Correct the path.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SmecError(f"Line {line} of {path} is not in UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SmecError(f"Line {line} of {path} has a NUL character, which no text has. Save the file as UTF-8.")
    return text


def text_of(row: Mapping[str, str], column: str) -> str:
    """Return what a row has in a column, "" for nothing."""
    return (row.get(column) or "").strip()


def columns_of(rows: Sequence[Row], path: Path) -> tuple[str, ...]:
    """Return the columns of the rows of a list, or raise `SmecError` where there are none."""
    if not rows:
        raise SmecError(f"{path} lists nothing. Check that the file is complete.")
    return tuple(rows[0])


def require_column(column: str | None, columns: Collection[str], source: Path | str, key: str) -> None:
    """Raise `SmecError` where a column that the option `key` names is not in a list; a `column` of None names none."""
    if column is not None and column not in columns:
        raise SmecError(f"{source} has no column {column!r}, which `{key}` names. {nearest_name(column, columns)}")


def refuse_repeats(named: Iterable[tuple[str, Path | str, int]]) -> None:
    """Raise `SmecError` for the first name that is listed twice; each comes with its list and its line there."""
    places: dict[str, tuple[Path | str, int]] = {}
    for name, source, line in named:
        if name in places:
            other, before = places[name]
            raise SmecError(
                f"Line {line} of {source} has {name!r}, which line {before} of {other} has already. Remove one of them."
            )
        places[name] = source, line


def _refuse_repeated_columns(columns: Sequence[str], path: Path) -> None:
    for column in columns:
        # A spreadsheet may leave several columns without a name at the end.
        if column.strip() and columns.count(column) > 1:
            raise SmecError(f"The header of {path} names the column {column!r} more than once. Rename one of them.")
