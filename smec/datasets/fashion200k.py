"""Fashion-200K as its owners distribute it: cropped photos of clothes with a description each, both directions.

{path}/labels/{category}_{train,test}_detect_all.txt    photo, detection score, description; separated by tabs
{path}/women/{dresses,jackets,pants,skirts,tops}/...     the photos, unpacked from women.tar.gz; the lists name them

The categories are dress, jacket, pants, skirt and top. Photos with the same description belong together; many products
have several photos, and some descriptions are of several products.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from smec.datasets.base import Dataset
from smec.datasets.image_faults import Faults
from smec.datasets.image_lists import refuse_repeats, utf8_text
from smec.datasets.image_sets import ImageSettings, ImageTask, Pictures, from_files
from smec.datasets.layout import Expected, check_layout, refuse_partly_unpacked
from smec.datasets.splits import TEST, TRAIN
from smec.errors import SmecError

HOME = "https://github.com/xthan/fashion-200k (labels and women.tar.gz)"
CATEGORIES = ("dress", "jacket", "pants", "skirt", "top")
FOLDERS = tuple(f"women/{name}/" for name in ("dresses", "jackets", "pants", "skirts", "tops"))
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
        expected = [*(Expected(name) for name, _ in _lists()), *map(Expected, FOLDERS)]
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
    lists = [(settings.folder / name, split) for name, split in _lists()]
    rows = [(path, split, *row) for path, split in lists for row in _listed(path)]
    refuse_repeats((photo, path, line) for path, _, line, photo, _ in rows)
    photos = [photo for _, _, _, photo, _ in rows]
    captions = [caption for *_, caption in rows]
    pictures = Pictures(
        ids=photos,
        # Photos without a description do not belong together.
        groups=[caption or photo for photo, caption in zip(photos, captions, strict=True)],
        splits=[split for _, split, *_ in rows],
        captions=captions,
        asks=[True] * len(rows),
        answers=[True] * len(rows),
    )
    refuse_partly_unpacked(settings.folder, photos, "Fashion-200K", HOME)
    source = f"Fashion-200K in {settings.path}"
    return from_files(pictures, settings.folder, source, settings, Faults(settings.faults, source))


def _lists() -> Iterator[tuple[str, str]]:
    for split in (TRAIN, TEST):
        for category in CATEGORIES:
            yield f"labels/{category}_{split}_detect_all.txt", split


def _listed(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, photo and description of each line; empty lines at the end are none."""
    lines = io.StringIO(utf8_text(path).rstrip("\r\n"), newline=None).read().split("\n")
    if lines == [""]:
        raise SmecError(f"{path} lists no photos. Get it again from {HOME}.")
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if len(cells) != CELLS:
            raise SmecError(
                f"Line {number} of {path} has {len(cells)} cells instead of {CELLS}: photo, detection score and "
                f"description, separated by tabs. Get it again from {HOME}."
            )
        if not cells[0].strip():
            raise SmecError(f"Line {number} of {path} names no photo. Get it again from {HOME}.")
        yield number, cells[0].strip(), " ".join(cells[2].split())
