"""Fashion-200K as its owners distribute it: cropped photos of clothes with a description each, both directions.

{path}/labels/{category}_{train,test}_detect_all.txt    photo, detection score, description; separated by tabs
{path}/women/...                                         the photos, unpacked from women.tar.gz; the lists name them

The categories are dress, jacket, pants, skirt and top. Photos with the same description belong together; many products
have several photos, and some descriptions are of several products.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from smec.datasets.base import Dataset
from smec.datasets.image_lists import utf8_text
from smec.datasets.image_sets import ImageSettings, ImageTask, Pictures, from_files
from smec.datasets.layout import Expected, check_layout
from smec.datasets.splits import TEST, TRAIN
from smec.errors import SmecError

HOME = "https://github.com/xthan/fashion-200k (labels and women.tar.gz)"
CATEGORIES = ("dress", "jacket", "pants", "skirt", "top")
CELLS = 3


class Fashion200kSettings(ImageSettings):
    """Fashion-200K and the direction of the search."""

    kind: Literal["fashion200k"] = Field(default="fashion200k", description="Fashion-200K, a local copy.")
    # Text and no path: a set that is not there yet is no reason to refuse a configuration.
    path: str = Field(default="data/fashion200k", min_length=1, description="The folder that holds labels/ and women/.")
    task: ImageTask = Field(
        default="text_to_image",
        description="`text_to_image`: photos of a description; `image_to_text`: the description of a photo; `image`: "
        "photos with the same description.",
    )

    @property
    def folder(self) -> Path:
        """Where the local copy is."""
        return Path(self.path).expanduser()

    def sources(self) -> tuple[Path, ...]:
        """Return the lists; the photos are known by their hashes (see the base class)."""
        return tuple(self.folder / name for name, _ in _lists())

    def missing(self) -> str | None:
        """Say which part of the layout is missing (see the base class)."""
        expected = [*(Expected(name) for name, _ in _lists()), Expected("women/")]
        return check_layout(self.folder, expected, "Fashion-200K", HOME)


def load(settings: Fashion200kSettings, folder: Path) -> Dataset:
    """Read the lists and pair photos with descriptions.

    Raises:
        SmecError: the layout is not as described above, a list has a fault, or a photo cannot be used (see
            `image_sets.from_files`).
    """
    told = settings.missing()
    if told:
        raise SmecError(told)
    rows = [(*row, split) for name, split in _lists() for row in _listed(settings.folder / name)]
    captions = [caption for _, caption, _ in rows]
    pictures = Pictures(
        ids=[photo for photo, _, _ in rows],
        # Photos without a description do not belong together.
        groups=[caption or photo for photo, caption, _ in rows],
        splits=[split for _, _, split in rows],
        captions=captions,
        asks=[True] * len(rows),
        answers=[True] * len(rows),
    )
    return from_files(pictures, settings.folder, f"Fashion-200K in {settings.path}", settings)


def _lists() -> Iterator[tuple[str, str]]:
    for split in (TRAIN, TEST):
        for category in CATEGORIES:
            yield f"labels/{category}_{split}_detect_all.txt", split


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(io.StringIO(utf8_text(path), newline=None), start=1):
        cells = line.rstrip("\n").split("\t")
        if len(cells) != CELLS:
            raise SmecError(
                f"Line {number} of {path} has {len(cells)} cells instead of {CELLS}: photo, detection score and "
                f"description, separated by tabs. Get it again from {HOME}."
            )
        if not cells[0].strip():
            raise SmecError(f"Line {number} of {path} names no photo. Get it again from {HOME}.")
        yield cells[0].strip(), " ".join(cells[2].split())
