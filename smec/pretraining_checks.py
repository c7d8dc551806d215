"""A CLIP that the workflow trains: one folder for each, and no training on what it is tested on later."""

from typing import TYPE_CHECKING

from smec import backbones, datasets
from smec.datasets.base import DatasetSettings
from smec.datasets.glyphs import GlyphsSettings
from smec.datasets.image_folder import ImageFolderSettings
from smec.errors import SmecError
from smec.experiments import Experiment

if TYPE_CHECKING:
    from pathlib import Path

    from smec.config import Config

PUBLISHED = ("split_column", "split_folders")
"""Settings that name published splits."""
GROUPING = ("label_column", "label_csv", "caption")
"""Settings that decide which images are held out together where no splits are published."""


def check_folders(config: "Config") -> None:
    """Check that no two backbones are trained into one folder.

    Raises:
        SmecError: names both.
    """
    owners: dict[Path, str] = {}
    for name, values in config.backbones.items():
        settings = backbones.parse(values)
        if settings.trained_on is None:
            continue
        folder = settings.files()[0].parent
        if folder in owners:
            raise SmecError(
                f"backbones.{owners[folder]} and backbones.{name} are both trained into the folder {folder}, where "
                "only one of them can be. Give each a `model` of its own."
            )
        owners[folder] = name


def check_unseen(config: "Config", experiment: Experiment) -> None:
    """Check that the CLIP of an experiment was not trained on what the experiment tests on, as far as settings tell.

    Raises:
        SmecError: names both datasets, and what to set.
    """
    source = backbones.parse(config.backbones[experiment.backbone]).trained_on
    if source is None or source == experiment.dataset:
        return
    tested, trained = (datasets.parse(config.datasets[name]) for name in (experiment.dataset, source))
    told = _overlap(tested, trained)
    if told:
        raise SmecError(
            f"The experiment on {experiment.dataset} with {experiment.backbone} would test on what the backbone is "
            f"trained on: datasets.{experiment.dataset} and datasets.{source}, on which it is trained, {told}"
        )


def _overlap(tested: DatasetSettings, trained: DatasetSettings) -> str | None:
    """Return why two sets share test and training images, as the rest of a sentence, and what to do; else None."""
    if isinstance(tested, GlyphsSettings) and isinstance(trained, GlyphsSettings):
        if _apart(tested, trained) or _held_out(tested, trained):
            return None
        return (
            f"may have characters in common, and {_fractions(tested, trained)}. Set one `part` to retrieval and the "
            "other to pretraining, with the same `pretraining_share`; or make `test_fraction` equal."
        )
    if isinstance(tested, ImageFolderSettings) and isinstance(trained, ImageFolderSettings):
        return _overlap_of_folders(tested, trained)
    return None


def _overlap_of_folders(tested: ImageFolderSettings, trained: ImageFolderSettings) -> str | None:
    if (tested.path, tested.csv) != (trained.path, trained.csv) or _filtered_apart(tested, trained):
        return None
    published = tested.split_column is not None or tested.split_folders
    for key in (*PUBLISHED, *(() if published else GROUPING)):
        one, other = getattr(tested, key), getattr(trained, key)
        # A set of images alone needs no captions, and labels are split by them only where two share one.
        if one != other and not (key in ("label_csv", "caption") and "image" in (tested.task, trained.task)):
            return f"list the same images but differ in `{key}`, so that other images are held out. Make it equal."
    if _held_out(tested, trained):
        return None
    return f"list the same images, and {_fractions(tested, trained)}. Make `test_fraction` equal."


def _apart(one: GlyphsSettings, other: GlyphsSettings) -> bool:
    """Say whether no character is of both parts: the lower positions pretrain, the others are searched."""
    if one.part == other.part:
        return False
    lower, upper = (one, other) if one.part == "pretraining" else (other, one)
    return lower.pretraining_share <= upper.pretraining_share


def _held_out(tested: DatasetSettings, trained: DatasetSettings) -> bool:
    """Say whether the training leaves all groups out that are tested: in each set they are those with low positions."""
    return tested.test_fraction <= _unused(trained)


def _fractions(tested: DatasetSettings, trained: DatasetSettings) -> str:
    return (
        f"the first tests on a share of {tested.test_fraction:g} (`test_fraction`) where the second leaves out no more "
        f"than {_unused(trained):g} (`test_fraction` and `validation_fraction`)"
    )


def _unused(trained: DatasetSettings) -> float:
    return trained.test_fraction + trained.validation_fraction


def _filtered_apart(tested: ImageFolderSettings, trained: ImageFolderSettings) -> bool:
    """Say whether a column tells the images that are trained on from all that are tested."""
    sides = {
        "image": (tested.query_where, tested.corpus_where),
        "text_to_image": (tested.corpus_where,),
        "image_to_text": (tested.query_where,),
    }[tested.task]
    for column, values in trained.corpus_where.items():
        of_tested = [where.get(column) for where in sides]
        if all(each is not None and not set(each) & set(values) for each in of_tested):
            return True
    return False
