"""Any local images with labels: a folder per label, or a csv that lists files and labels; captions if there are some.

{path}/{label}/**/image.jpg            without `csv`; with `split_folders`: {path}/{train,val,test}/{label}/...
{csv}: a header line, one line per image: file (relative to `path`), label, split, whatever captions are made of
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from smec.datasets.base import Dataset
from smec.datasets.image_captions import checked_template
from smec.datasets.image_choice import one_or_more
from smec.datasets.image_faults import Faults
from smec.datasets.image_listing import listing, pictures
from smec.datasets.image_sets import ImageSettings, Pictures, from_files, paired, refuse_faults_of_the_list
from smec.datasets.label_folders import walk
from smec.datasets.vector_files import side_by_side
from smec.errors import SmecError
from smec.modality import Modality


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"`~` stands for no folder here ({error})") from error


LocalPath = Annotated[Path, AfterValidator(_expanded)]
Values = Annotated[tuple[str, ...], BeforeValidator(one_or_more, json_schema_input_type=str | tuple[str, ...])]


class ImageFolderSettings(ImageSettings):
    """Images in a folder, and where their labels are."""

    kind: Literal["image_folder"] = Field(default="image_folder", description="Local images with labels or captions.")
    path: LocalPath = Field(description="The folder that holds the images.")
    csv: LocalPath | None = Field(
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
    label_csv: LocalPath | None = Field(
        default=None, description="Further columns for captions, one line per label, its label in `label_column`."
    )
    caption: str | None = Field(
        default=None, description="How a caption is made of columns, such as '{name}: {keywords}'; null: none."
    )
    split_folders: bool = Field(
        default=False, description="Without `csv`: the first level of folders is train, val, test, the second labels."
    )
    vectors: tuple[LocalPath, ...] = Field(
        default=(),
        description="Vectors of the images in .npy files, rows as in `csv`; several are each scaled to unit length and "
        "put side by side. The images are then not read, and the backbone is of kind `precomputed`.",
    )
    query_where: dict[str, Values] = Field(
        default_factory=dict, description="Values of columns that an image must have to be a query; empty: any."
    )
    corpus_where: dict[str, Values] = Field(
        default_factory=dict, description="Values of columns that an image must have to be a document; empty: any."
    )

    @field_validator("caption")
    @classmethod
    def _is_made_of_columns(cls, caption: str | None) -> str | None:
        return None if caption is None else checked_template(caption)

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

    @model_validator(mode="after")
    def _has_no_option_without_effect(self) -> "ImageFolderSettings":
        for task, side, key, other in (
            ("text_to_image", "queries", "query_where", "corpus_where"),
            ("image_to_text", "documents", "corpus_where", "query_where"),
        ):
            if self.task == task and getattr(self, key):
                raise ValueError(f"`{key}` chooses images, but the {side} of {task!r} are captions; use `{other}`")
        if self.csv is None:
            unread = ["file_column", "split_column", *([] if self.label_csv else ["label_column"])]
            for key in unread:
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise ValueError(
                        f"`{key}` names a column of a `csv`, and there is none: folders are labels, and splits with "
                        "`split_folders`; remove it or give the `csv`"
                    )
        if self.label_csv is not None and not (self.caption or self.query_where or self.corpus_where):
            raise ValueError(
                "`label_csv` has columns for `caption`, `query_where` and `corpus_where`, and none of these is given; "
                "give one or remove it"
            )
        return self

    def modality(self, role: str) -> Modality:
        """Return vectors where they are given (see the base class)."""
        return "vectors" if self.vectors else super().modality(role)

    def sources(self) -> tuple[Path, ...]:
        """Return the lists, whose images are known by their hashes later, and without a `csv` all folders of images."""
        lists = tuple(path for path in (self.csv, self.label_csv, *self.vectors) if path is not None)
        if self.csv is not None:
            return lists
        # What lies behind a link is not found from outside, so each linked folder is named.
        linked = [path for path in walk(self.path).folders if path.is_symlink()] if self.path.is_dir() else []
        return (self.path, *linked, *lists)


def load(settings: ImageFolderSettings, folder: Path) -> Dataset:
    """List, read and pair the images.

    Raises:
        SmecError: the layout is not as described above, a column is missing, or an image cannot be used (see
            `image_sets.from_files`).
    """
    if not settings.path.is_dir():
        raise SmecError(f"The image folder {settings.path} does not exist. Correct `path`, or put the images there.")
    source = str(settings.csv or settings.path)
    faults = Faults(settings.faults, source)
    listed = listing(settings, faults)
    images = pictures(listed, settings)
    if settings.vectors:
        dataset = _with_vectors(images, settings, source, folder / "vectors.npy", faults)
    else:
        dataset = from_files(images, settings.path, source, settings, faults)
    return replace(dataset, details={**dataset.details, **listed.details})


def _with_vectors(images: Pictures, settings: ImageFolderSettings, source: str, copy: Path, faults: Faults) -> Dataset:
    refuse_faults_of_the_list(images, source, settings)
    vectors = side_by_side(settings.vectors, images.ids, copy)
    if vectors.rows != len(images.ids):
        raise SmecError(f"{settings.vectors[0]} has {vectors.rows} rows, but {source} lists {len(images.ids)} images.")
    rows = pa.array(np.arange(vectors.rows, dtype=np.int64))
    table = pa.table({"id": pa.array(images.ids, pa.string()), "source_row": rows})
    dataset = paired(images, table, source, settings, faults)
    entry = {**vars(vectors), "path": copy.name}
    return replace(dataset, details={"vectors": {"corpus": entry, "queries": entry}, **dataset.details})
