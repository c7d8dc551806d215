"""Any local images with labels: a folder per label, or a csv that lists files and labels; captions if there are some.

{path}/{label}/**/image.jpg            without `csv`; with `split_folders`: {path}/{train,val,test}/{label}/...
{csv}: a header line, one line per image: file (relative to `path`), label, split, whatever captions are made of
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from smec.datasets.base import Dataset
from smec.datasets.image_faults import Faults
from smec.datasets.image_lists import Row, cell, columns_of, csv_rows, require_column, text_of
from smec.datasets.image_sets import ImageSettings, Pictures, from_files, paired
from smec.datasets.images import SUFFIXES
from smec.datasets.judgement_files import SPLIT_NAMES
from smec.datasets.vector_files import side_by_side
from smec.errors import SmecError, nearest_name
from smec.modality import Modality

HOW_TO_CAPTION = "put columns in braces, such as '{name}: {keywords}', and write a brace that is text twice"


class ImageFolderSettings(ImageSettings):
    """Images in a folder, and where their labels are."""

    kind: Literal["image_folder"] = Field(default="image_folder", description="Local images with labels or captions.")
    path: Path = Field(description="The folder that holds the images.")
    csv: Path | None = Field(
        default=None, description="Lists the images, one line each under a header line; null: folders are labels."
    )
    file_column: str = Field(default="file", description="Column with the path of the image, relative to `path`.")
    label_column: str | None = Field(
        default="label",
        description="Column with the label: images of one label are relevant to each other and to its captions; null: "
        "images with the same caption are.",
    )
    split_column: str | None = Field(
        default=None, description="Column with train, val or test; null: whole labels are split by a hash."
    )
    label_csv: Path | None = Field(
        default=None, description="Further columns for captions, one line per label, its label in `label_column`."
    )
    caption: str | None = Field(
        default=None, description="How a caption is made of columns, such as '{name}: {keywords}'; null: none."
    )
    split_folders: bool = Field(
        default=False, description="Without `csv`: the first level of folders is train, val, test, the second labels."
    )
    vectors: tuple[Path, ...] = Field(
        default=(),
        description="Vectors of the images in .npy files, rows as in `csv`; several are each scaled to unit length and "
        "put side by side. The images are then not read, and the backbone is of kind `precomputed`.",
    )
    query_where: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Values of columns that an image must have to be a query; empty: any."
    )
    corpus_where: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Values of columns that an image must have to be a document; empty: any."
    )

    @field_validator("caption")
    @classmethod
    def _is_made_of_columns(cls, caption: str | None) -> str | None:
        if caption is not None:
            try:
                columns = _columns_in(caption)
                caption.format(**dict.fromkeys(columns, "word"))
            except (ValueError, LookupError, AttributeError) as error:
                raise ValueError(f"{caption!r} cannot be filled in ({error}); {HOW_TO_CAPTION}") from error
            if not columns:
                raise ValueError(f"{caption!r} names no column; {HOW_TO_CAPTION}")
        return caption

    @model_validator(mode="after")
    def _can_be_paired(self) -> "ImageFolderSettings":
        if self.task != "image" and self.caption is None:
            raise ValueError(f"the task {self.task!r} needs `caption`, such as '{{{self.label_column or 'name'}}}'")
        if self.label_column is None and (self.csv is None or self.task == "image" or self.label_csv is not None):
            raise ValueError("`label_column: null` needs a `csv` with captions, a task with text and no `label_csv`")
        if self.csv is not None and self.split_folders:
            raise ValueError("`split_folders` is for folders without a `csv`; use `split_column`")
        if self.vectors and (self.csv is None or self.task != "image"):
            raise ValueError("`vectors` need a `csv` that lists their rows, and the task 'image'")
        return self

    def modality(self, role: str) -> Modality:
        """Return vectors where they are given (see the base class)."""
        return "vectors" if self.vectors else super().modality(role)

    def sources(self) -> tuple[Path, ...]:
        """Return the lists where there are some, else the folder: its images are known by their hashes later."""
        return tuple(path for path in (self.csv, self.label_csv, *self.vectors) if path is not None) or (self.path,)


def load(settings: ImageFolderSettings, folder: Path) -> Dataset:
    """List, read and pair the images.

    Raises:
        SmecError: the layout is not as described above, a column is missing, or an image cannot be used (see
            `image_sets.from_files`).
    """
    if not settings.path.is_dir():
        raise SmecError(f"The image folder {settings.path} does not exist. Correct `path`, or put the images there.")
    listed = _from_csv(settings, settings.csv) if settings.csv else _from_folders(settings)
    source = str(settings.csv or settings.path)
    pictures = _pictures(_with_columns_of_labels(listed, settings), settings, source)
    if settings.vectors:
        return _with_vectors(pictures, settings, source, folder / "vectors.npy")
    return from_files(pictures, settings.path, source, settings)


def _with_vectors(pictures: Pictures, settings: ImageFolderSettings, source: str, copy: Path) -> Dataset:
    vectors = side_by_side(settings.vectors, pictures.ids, copy)
    if vectors.rows != len(pictures.ids):
        raise SmecError(
            f"{settings.vectors[0]} has {vectors.rows} rows, but {source} lists {len(pictures.ids)} images."
        )
    rows = pa.array(np.arange(vectors.rows, dtype=np.int64))
    table = pa.table({"id": pa.array(pictures.ids, pa.string()), "source_row": rows})
    dataset = paired(pictures, table, source, settings, Faults(settings.faults, source))
    entry = {**vars(vectors), "path": copy.name}
    return replace(dataset, details={"vectors": {"corpus": entry, "queries": entry}, **dataset.details})


@dataclass(frozen=True)
class _Listed:
    """Rows of a list of images, all columns, of which a row may lack some, and what those with a meaning are called."""

    rows: list[Row]
    columns: tuple[str, ...]
    file: str
    label: str | None
    split: str | None


def _from_csv(settings: ImageFolderSettings, path: Path) -> _Listed:
    rows = list(csv_rows(path))
    own = {"file_column": settings.file_column, "label_column": settings.label_column}
    columns = columns_of(rows, path)
    for key, column in {**own, "split_column": settings.split_column}.items():
        require_column(column, columns, path, key)
    return _Listed(rows, columns, settings.file_column, settings.label_column, settings.split_column)


def _from_folders(settings: ImageFolderSettings) -> _Listed:
    depth = 3 if settings.split_folders else 2
    rows = []
    for path in sorted(settings.path.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        parts = path.relative_to(settings.path).parts
        if len(parts) < depth:
            raise SmecError(
                f"The image {path} lies in no folder of a label. Expected {settings.path}/"
                f"{'SPLIT/' if settings.split_folders else ''}LABEL/image; move it, or list the images in a `csv`."
            )
        split = {"split": parts[0]} if settings.split_folders else {}
        rows.append({"file": "/".join(parts), "label": parts[depth - 2], **split})
    if not rows:
        raise SmecError(f"{settings.path} holds no images ({', '.join(sorted(SUFFIXES))}). Correct `path`.")
    return _Listed(rows, tuple(rows[0]), "file", "label", "split" if settings.split_folders else None)


def _with_columns_of_labels(listed: _Listed, settings: ImageFolderSettings) -> _Listed:
    path, column, label = settings.label_csv, settings.label_column, listed.label
    if path is None or column is None or label is None:
        return listed
    lines = list(csv_rows(path))
    columns = columns_of(lines, path)
    require_column(column, columns, path, "label_column")
    of_label = {text_of(line, column): line for line in lines}
    rows = [{**of_label.get(text_of(row, label), {}), **row} for row in listed.rows]
    return replace(listed, rows=rows, columns=(*listed.columns, *columns))


def _pictures(listed: _Listed, settings: ImageFolderSettings, source: str) -> Pictures:
    rows = listed.rows
    lists = source if settings.label_csv is None else f"{source} with {settings.label_csv}"
    for fields, key in ((settings.query_where, "query_where"), (settings.corpus_where, "corpus_where")):
        for column in fields:
            require_column(column, listed.columns, lists, key)
    captions = [""] * len(rows)
    if settings.caption is not None:
        columns = _columns_in(settings.caption)
        for column in columns:
            require_column(column, listed.columns, lists, "caption")
        captions = [_caption(settings.caption, columns, row) for row in rows]
    return Pictures(
        ids=[cell(row, listed.file, source, line) for line, row in enumerate(rows)],
        groups=captions
        if listed.label is None
        else [cell(row, listed.label, source, line) for line, row in enumerate(rows)],
        splits=[""] * len(rows)
        if listed.split is None
        else [_split(cell(row, listed.split, source, line), source) for line, row in enumerate(rows)],
        captions=captions,
        asks=[_fits(row, settings.query_where) for row in rows],
        answers=[_fits(row, settings.corpus_where) for row in rows],
    )


def _columns_in(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def _caption(template: str, columns: list[str], row: Mapping[str, str]) -> str:
    values = {column: text_of(row, column) for column in columns}
    return " ".join(template.format(**values).split()) if all(values.values()) else ""


def _fits(row: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> bool:
    return all(row.get(column) in values for column, values in wanted.items())


def _split(name: str, source: str) -> str:
    if name not in SPLIT_NAMES:
        raise SmecError(f"{source} puts an image in the unknown split {name!r}. {nearest_name(name, SPLIT_NAMES)}")
    return SPLIT_NAMES[name]
