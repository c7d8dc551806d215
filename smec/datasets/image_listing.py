"""The images of a kind `image_folder`, row by row: from a csv, or from folders that are named for labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from smec.datasets.image_captions import caption, columns_in
from smec.datasets.image_choice import chosen
from smec.datasets.image_faults import Faults
from smec.datasets.image_lists import Row, cell, columns_of, csv_rows, refuse_repeats, require_column, text_of
from smec.datasets.image_sets import Pictures
from smec.datasets.judgement_files import SPLIT_NAMES
from smec.datasets.label_folders import labelled_images
from smec.errors import SmecError, nearest_name

if TYPE_CHECKING:
    from smec.datasets.image_folder import ImageFolderSettings


@dataclass(frozen=True)
class Listing:
    """Rows of a list of images.

    Attributes:
        source: the list or the folder, for messages.
        rows: by column; a row may lack some.
        lines: of the rows in the list; 0 where there is no list.
        columns: of any row.
        file: column of the paths of the images.
        label: column of the labels; None where there are none.
        split: column of the published splits; None where there are none.
        details: entries of the manifest.
    """

    source: str
    rows: Sequence[Row]
    lines: Sequence[int]
    columns: tuple[str, ...]
    file: str
    label: str | None
    split: str | None
    details: dict[str, object] = field(default_factory=dict)

    def cells(self, column: str) -> list[str]:
        """Return a column, or raise `SmecError` with the first line that has nothing there."""
        return [cell(row, column, self.source, line) for row, line in zip(self.rows, self.lines, strict=True)]


def listing(settings: "ImageFolderSettings", faults: Faults) -> Listing:
    """List the images, with the columns that their labels have in a list of their own.

    Raises:
        SmecError: a list has a fault, a column is missing, or the folders are not as the settings say.
    """
    listed = _from_csv(settings, settings.csv) if settings.csv else _from_folders(settings, faults)
    return _with_columns_of_labels(listed, settings)


def pictures(listed: Listing, settings: "ImageFolderSettings") -> Pictures:
    """Return the images with label, split and caption, and which of them ask and are found.

    Raises:
        SmecError: a column that the settings name is missing, a row lacks what it must have, two rows name one image, a
            split is unknown, or no image is chosen.
    """
    lists = listed.source if settings.label_csv is None else f"{listed.source} with {settings.label_csv}"
    asks = chosen(listed.rows, listed.columns, settings.query_where, lists, "query_where")
    answers = chosen(listed.rows, listed.columns, settings.corpus_where, lists, "corpus_where")
    captions = [""] * len(listed.rows)
    if settings.caption is not None:
        for column in columns_in(settings.caption):
            require_column(column, listed.columns, lists, "caption")
        captions = [caption(settings.caption, row) for row in listed.rows]
    files = listed.cells(listed.file)
    refuse_repeats((file, listed.source, line) for file, line in zip(files, listed.lines, strict=True))
    return Pictures(
        ids=files,
        groups=captions if listed.label is None else listed.cells(listed.label),
        splits=_splits(listed),
        captions=captions,
        asks=asks,
        answers=answers,
    )


def _from_csv(settings: "ImageFolderSettings", path: Path) -> Listing:
    numbered = list(csv_rows(path))
    rows = [row for _, row in numbered]
    own = {"file_column": settings.file_column, "label_column": settings.label_column}
    columns = columns_of(rows, path)
    for key, column in {**own, "split_column": settings.split_column}.items():
        require_column(column, columns, path, key)
    lines = [line for line, _ in numbered]
    return Listing(str(path), rows, lines, columns, settings.file_column, settings.label_column, settings.split_column)


def _from_folders(settings: "ImageFolderSettings", faults: Faults) -> Listing:
    depth = 3 if settings.split_folders else 2
    found = labelled_images(settings.path, depth, faults)
    rows = [
        {"file": "/".join(parts), "label": parts[depth - 2], **({"split": parts[0]} if settings.split_folders else {})}
        for parts in found.files
    ]
    split = "split" if settings.split_folders else None
    details: dict[str, object] = {"files_of_other_suffixes": found.others} if found.others else {}
    return Listing(str(settings.path), rows, [0] * len(rows), tuple(rows[0]), "file", "label", split, details)


def _with_columns_of_labels(listed: Listing, settings: "ImageFolderSettings") -> Listing:
    path, column, label = settings.label_csv, settings.label_column, listed.label
    if path is None or column is None or label is None:
        return listed
    numbered = list(csv_rows(path))
    columns = columns_of([row for _, row in numbered], path)
    require_column(column, columns, path, "label_column")
    refuse_repeats((text_of(row, column), path, line) for line, row in numbered if text_of(row, column))
    of_label = {text_of(row, column): row for _, row in numbered}
    # A cell that is empty says nothing, so it does not hide what is said of the label.
    rows = [
        {**of_label.get(text_of(row, label), {}), **{name: row[name] for name in row if text_of(row, name)}}
        for row in listed.rows
    ]
    joined = replace(listed, rows=rows, columns=(*listed.columns, *columns))
    _refuse_unused(joined, settings, path, set(columns) - {column})
    return joined


def _refuse_unused(joined: Listing, settings: "ImageFolderSettings", path: Path, offered: set[str]) -> None:
    """Raise `SmecError` where no option names a column of the list of labels, unless it names one that is nowhere."""
    used = {*(columns_in(settings.caption) if settings.caption else ()), *settings.query_where, *settings.corpus_where}
    if used <= set(joined.columns) and not used & offered:
        raise SmecError(
            f"`caption`, `query_where` and `corpus_where` use no column of {path}, which `label_csv` names. Use one of "
            f"{sorted(offered)}, or remove `label_csv`."
        )


def _splits(listed: Listing) -> list[str]:
    if listed.split is None:
        return [""] * len(listed.rows)
    names = listed.cells(listed.split)
    for name in names:
        if name not in SPLIT_NAMES:
            raise SmecError(
                f"{listed.source} puts an image in the unknown split {name!r}. {nearest_name(name, SPLIT_NAMES)}"
            )
    return [SPLIT_NAMES[name] for name in names]
