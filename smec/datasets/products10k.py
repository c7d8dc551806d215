"""Products-10K as its owners distribute it: photos of some 10,000 products, image to image.

{path}/train.csv               name,class,group         (141,931 photos)
{path}/test_kaggletest.csv     name,class,Usage         (55,376 photos)
{path}/train/{name}            the photos of train.csv, unpacked from train.zip
{path}/test/{name}             those of test_kaggletest.csv, unpacked from test.zip
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from smec.datasets.base import Dataset
from smec.datasets.image_faults import Faults
from smec.datasets.image_lists import cell, csv_rows, refuse_repeats
from smec.datasets.image_sets import ImageSettings, Pictures, from_files
from smec.datasets.layout import Expected, check_layout, nested, refuse_partly_unpacked
from smec.datasets.splits import TEST, TRAIN
from smec.errors import SmecError

HOME = "https://products-10k.github.io (train.zip, test.zip, train.csv, test_kaggletest.csv)"
LISTS = {TRAIN: "train.csv", TEST: "test_kaggletest.csv"}


class Products10kSettings(ImageSettings):
    """Products-10K and what is searched in it."""

    kind: Literal["products10k"] = Field(default="products10k", description="Products-10K, a local copy.")
    # Text and no path: a set that is not there yet is no reason to refuse a configuration.
    path: str = Field(
        default="data/products10k",
        min_length=1,
        description="The folder that holds train.csv, test_kaggletest.csv, train/ and test/.",
    )
    task: Literal["image"] = Field(
        default="image", description="`image`: photos of the same product; the set has no captions."
    )
    gallery: Literal["train", "test", "all"] = Field(
        default="train",
        description="Photos that are searched: the training photos, as a shop has them; those of the test; or all.",
    )

    @property
    def folder(self) -> Path:
        """Where the local copy is."""
        return Path(self.path).expanduser()

    def sources(self) -> tuple[Path, ...]:
        """Return the two lists; the photos are known by their hashes (see the base class)."""
        return tuple(self.folder / name for name in LISTS.values())

    def missing(self) -> str | None:
        """Say which part of the layout is missing (see the base class)."""
        expected = [Expected(name) for name in LISTS.values()] + [Expected("train/"), Expected("test/")]
        return check_layout(self.folder, expected, "Products-10K", HOME) or nested(self.folder, LISTS)


def load(settings: Products10kSettings, folder: Path) -> Dataset:
    """Read both lists and pair the photos by product.

    Raises:
        SmecError: the layout is not as described above, a list has a fault, or a photo cannot be used (see
            `image_sets.from_files`).
    """
    told = settings.missing()
    if told:
        raise SmecError(told)
    ids: list[str] = []
    groups: list[str] = []
    splits: list[str] = []
    for split, name in LISTS.items():
        for photo, product in _listed(settings.folder / name):
            ids.append(f"{split}/{photo}")
            groups.append(product)
            splits.append(split)
    pictures = Pictures(
        ids=ids,
        groups=groups,
        splits=splits,
        captions=[""] * len(ids),
        asks=[True] * len(ids),
        answers=[settings.gallery in (split, "all") for split in splits],
    )
    refuse_partly_unpacked(settings.folder, ids, "Products-10K", HOME)
    source = f"Products-10K in {settings.path}"
    return from_files(pictures, settings.folder, source, settings, Faults(settings.faults, source))


def _listed(path: Path) -> list[tuple[str, str]]:
    rows = list(csv_rows(path))
    if not rows:
        raise SmecError(f"{path} lists no photos. Get it again from {HOME}.")
    columns = rows[0][1].keys()
    if not {"name", "class"} <= columns:
        raise SmecError(
            f"{path} has the columns {list(columns)}; Products-10K's has name and class. Get it from {HOME}."
        )
    refuse_repeats((cell(row, "name", path, line), path, line) for line, row in rows)
    return [(cell(row, "name", path, line), cell(row, "class", path, line)) for line, row in rows]
