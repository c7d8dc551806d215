"""From labelled images to a retrieval set: images of one class, or captions and images in either direction.

Two images, or an image and a caption, are relevant to each other when they are of one group: a class, a product, or all
images with the same caption.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from smec.datasets.base import Dataset, DatasetSettings, check_splits, checks, text_table
from smec.datasets.image_faults import NOT_ASKED, FaultPolicy, Faults
from smec.datasets.image_groups import distinct, latest_split, split_of_groups, split_of_queries
from smec.datasets.images import file_table, inspect
from smec.errors import SmecError
from smec.modality import Modality, Task

ImageTask = Literal["image", "text_to_image", "image_to_text"]


class ImageSettings(DatasetSettings):
    """Settings that every kind of image dataset has."""

    exclude_self: bool = Field(
        default=True, description="Leave an image out of its own ranking, where it is a query and a document."
    )
    task: ImageTask = Field(
        default="image",
        description="`image`: find images of the same class; `text_to_image`, `image_to_text`: find the images of a "
        "caption, or the caption of an image.",
    )
    faults: FaultPolicy = Field(
        default="error",
        description="What to do about an image that cannot be read, has no caption or is the only one of its class: "
        "stop and name it, or `skip` it, named and counted in the manifest.",
    )

    def modality(self, role: str) -> Modality:
        """Return text for the side of the captions, else image (see the base class)."""
        side_of_captions = {"image": "", "text_to_image": "queries", "image_to_text": "corpus"}[self.task]
        return "text" if role == side_of_captions else "image"

    def searched(self) -> Task:
        """Return the task (see the base class)."""
        return self.task


@dataclass(frozen=True)
class Pictures:
    """Images with what is known of them, one entry per image.

    Attributes:
        ids: of the images.
        groups: what makes images, or an image and a caption, relevant to each other.
        splits: published split, "" for none.
        captions: "" for none; not used by the task `image`.
        asks: may be a query.
        answers: may be a document.
    """

    ids: Sequence[str]
    groups: Sequence[str]
    splits: Sequence[str]
    captions: Sequence[str]
    asks: Sequence[bool]
    answers: Sequence[bool]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Pictures":
        """Return the images at `rows`, in that order."""
        return Pictures(**{name: [values[row] for row in rows] for name, values in vars(self).items()})


def from_files(pictures: Pictures, root: Path, source: str, settings: ImageSettings, faults: Faults) -> Dataset:
    """Read every file once, and pair the images by the task; ids are paths relative to `root`.

    Raises:
        SmecError: an image cannot be read, has no caption or no partner, and the settings do not say to skip it; or the
            list has a fault (see `refuse_faults_of_the_list`).
    """
    refuse_faults_of_the_list(pictures, source, settings)
    hashes, unreadable = inspect(root, pictures.ids)
    faults.add("unreadable", unreadable)
    readable = [row for row, file in enumerate(pictures.ids) if file not in unreadable]
    kept = pictures.take(readable)
    table = file_table(kept.ids, kept.ids, [hashes[row] for row in readable])
    dataset = paired(kept, table, source, settings, faults)
    roots = {role: str(root.resolve()) for role in ("corpus", "queries") if settings.modality(role) == "image"}
    return replace(dataset, details={"images": roots, **dataset.details})


def refuse_faults_of_the_list(pictures: Pictures, source: str, settings: ImageSettings) -> None:
    """Pair the images as if all could be read, so that what is wrong with their list is told before hours of reading.

    Raises:
        SmecError: an image has no caption or no partner, and the settings do not say to skip it; an image is listed
            twice; or a split has no query.
    """
    unread = pa.table({"id": pa.array(pictures.ids, pa.string())})
    dataset = paired(pictures, unread, source, settings, Faults(settings.faults, source, quiet=True))
    checks(dataset)
    check_splits(dataset, settings)


def paired(pictures: Pictures, table: pa.Table, source: str, settings: ImageSettings, faults: Faults) -> Dataset:
    """Pair images by the task of the settings.

    Args:
        pictures: the images.
        table: the same rows with id and the columns of an image (see `smec.datasets.base`).
        source: where they came from, for messages.
        settings: of the dataset.
        faults: where images that cannot be used go.

    Raises:
        SmecError: an image has no caption or no partner, and the settings do not say to skip it.
    """
    if not len(table):
        raise SmecError(f"{source} holds no image that can be used. Check that it is the right place and is complete.")
    pair: Callable[..., Dataset] = _same_class if settings.task == "image" else _captioned
    dataset = pair(pictures, table, source, settings, faults)
    return replace(dataset, details={**dataset.details, **faults.details()})


def _same_class(pictures: Pictures, table: pa.Table, source: str, settings: ImageSettings, faults: Faults) -> Dataset:
    asking, answering = np.flatnonzero(pictures.asks), np.flatnonzero(pictures.answers)
    gallery, shown = pictures.take(answering), set(answering.tolist())
    members = Counter(gallery.groups)
    others = {row: members[pictures.groups[row]] - (row in shown) for row in asking.tolist()}
    alone = [row for row, count in others.items() if not count]
    told = {row: f"no other image of the class {pictures.groups[row]!r} to find" for row in alone}
    faults.add("alone", {pictures.ids[row]: fault for row, fault in told.items() if row not in shown})
    faults.add("alone", {pictures.ids[row]: fault for row, fault in told.items() if row in shown}, NOT_ASKED)
    kept = np.setdiff1d(asking, alone)
    asked = pictures.take(kept)
    split, rule = split_of_queries(
        asked.ids,
        asked.splits,
        asked.groups,
        asked.captions,
        settings.validation_fraction,
        settings.test_fraction,
    )
    queries = _grouped(table.take(kept), asked.groups)
    return Dataset(source, table.take(answering), queries, _judged(gallery.groups, gallery.ids), split, rule)


def _captioned(pictures: Pictures, table: pa.Table, source: str, settings: ImageSettings, faults: Faults) -> Dataset:
    to_image = settings.task == "text_to_image"
    shown = np.flatnonzero(pictures.answers if to_image else pictures.asks)
    silent = [row for row in shown.tolist() if not pictures.captions[row]]
    faults.add("without_caption", {pictures.ids[row]: "no caption" for row in silent})
    used = np.setdiff1d(shown, silent)
    images, of_images = pictures.take(used), table.take(used)
    texts = distinct(images.groups, images.captions)
    text_ids, text_groups = list(texts), [group for group, _ in texts.values()]
    captions = text_table(text_ids, [caption for _, caption in texts.values()])
    of_group, rule = split_of_groups(
        images.groups, images.splits, images.captions, settings.validation_fraction, settings.test_fraction
    )
    if to_image:
        split = {name: of_group[group] for name, group in zip(text_ids, text_groups, strict=True)}
        qrels = _judged(images.groups, images.ids)
        return Dataset(source, of_images, _grouped(captions, text_groups), qrels, split, rule)
    kept = _of_their_groups_split(images)
    split = {images.ids[row]: of_group[images.groups[row]] for row in kept}
    queries = _grouped(of_images.take(kept), [images.groups[row] for row in kept])
    details: dict[str, Any] = {"queries_left_out_for_their_captions_split": len(images.ids) - len(kept)}
    return Dataset(source, captions, queries, _judged(text_groups, text_ids), split, rule, details)


def _of_their_groups_split(images: Pictures) -> list[int]:
    """Return the images whose published split is their caption's: a caption asked in test is not trained on."""
    if not any(images.splits):
        return list(range(len(images.ids)))
    latest = latest_split(images.groups, images.splits)
    pairs = zip(images.groups, images.splits, strict=True)
    return [row for row, (group, split) in enumerate(pairs) if latest[group] == split]


def _grouped(queries: pa.Table, groups: Sequence[str]) -> pa.Table:
    return queries.append_column("group", pa.array(groups, pa.string()))


def _judged(groups: Sequence[str], documents: Sequence[str]) -> pa.Table:
    """Return each document as relevant to its group (see `smec.datasets.base`)."""
    relevance = np.ones(len(documents), dtype=np.int32)
    return pa.table(
        {
            "group": pa.array(groups, pa.string()),
            "corpus_id": pa.array(documents, pa.string()),
            "relevance": pa.array(relevance),
        }
    )
