"""Images in folders that are named for their labels: found through links too, with what else lies there."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smec.datasets.image_faults import LABEL_LEFT_OUT, Faults
from smec.datasets.images import SUFFIXES
from smec.errors import SmecError

ENDINGS = ", ".join(sorted(SUFFIXES))
Identity = tuple[int, int]
"""Device and inode: the same for all names of one folder."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Walked:
    """What lies below a folder.

    Attributes:
        folders: all of them, links among them.
        images: files, and links to nothing, with the suffix of an image.
        others: other files, and other links to nothing.
    """

    folders: list[Path]
    images: list[Path]
    others: list[Path]


@dataclass(frozen=True)
class LabelledImages:
    """Images below folders of labels.

    Attributes:
        files: their paths relative to the root, part by part, in order.
        others: how many other files lie there, by their suffix; "" for none.
    """

    files: list[tuple[str, ...]]
    others: dict[str, int]


def labelled_images(root: Path, depth: int, faults: Faults) -> LabelledImages:
    """Find the images below the folders of labels.

    Args:
        root: the folder that holds them.
        depth: least number of parts of the path of an image relative to `root`; the last but one of these is the label.
        faults: where labels without images go.

    Raises:
        SmecError: there is no image, one lies in no folder of a label, a folder cannot be read, or a label has no
            image and the settings do not say to skip it.
    """
    walked = walk(root)
    files = [path.relative_to(root).parts for path in walked.images]
    for parts in files:
        if len(parts) < depth:
            raise SmecError(
                f"The image {root.joinpath(*parts)} lies in no folder of a label. Expected "
                f"{root}/{'SPLIT/' * (depth - 2)}LABEL/image; move it, or list the images in a `csv`."
            )
    if not files:
        told = f"It has other files, such as {walked.others[0]}; convert them" if walked.others else "Correct `path`"
        raise SmecError(f"{root} holds no images ({ENDINGS}). {told}.")
    faults.add("label_without_images", _labels_without(root, depth, walked), LABEL_LEFT_OUT)
    others = [path.relative_to(root).parts for path in walked.others]
    unused = [root.joinpath(*parts) for parts in others if len(parts) >= depth and not _is_hidden(parts)]
    if unused:
        logger.warning(
            "%s: %d files are not used, such as %s. Images end in %s.", root, len(unused), unused[0], ENDINGS
        )
    return LabelledImages(files, dict(sorted(Counter(path.suffix.lower() for path in unused).items())))


def walk(root: Path) -> Walked:
    """Return what lies below a folder, sorted; links are followed, except to a folder that they are in.

    Raises:
        SmecError: a folder cannot be read, or a name is not in UTF-8.
    """
    walked = Walked([], [], [])
    for path, is_folder in _below(root, ()):
        if is_folder:
            walked.folders.append(path)
        elif path.suffix.lower() in SUFFIXES:
            walked.images.append(path)
        else:
            walked.others.append(path)
    return Walked(*(sorted(paths) for paths in vars(walked).values()))


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") for part in parts)


def _labels_without(root: Path, depth: int, walked: Walked) -> dict[str, str]:
    """Return why a label has no image, by its path relative to `root`."""

    def label(path: Path) -> str:
        return "/".join(path.relative_to(root).parts[: depth - 1])

    told = {label(path): "it is empty" for path in walked.folders if len(path.relative_to(root).parts) == depth - 1}
    # From the last to the first, so that the first is the example.
    for path in reversed(walked.others):
        if label(path) in told:
            told[label(path)] = f"only other files, such as {path}"
        elif path.is_symlink() and not path.exists() and len(path.relative_to(root).parts) == depth - 1:
            told[label(path)] = "it is a link to nothing"
    shown = {label(path) for path in walked.images}
    return {name: told[name] for name in sorted(told) if name not in shown and not _is_hidden((*name.split("/"),))}


def _below(folder: Path, above: tuple[Identity, ...]) -> Iterator[tuple[Path, bool]]:
    """Yield all below `folder`, and whether each is a folder; `above` are the folders that `folder` is in."""
    try:
        inside = (*above, _identity(folder))
        with os.scandir(folder) as found:
            entries = [(folder / entry.name, _is_folder(entry)) for entry in found]
        cycles = {path for path, is_folder in entries if is_folder and _identity(path) in inside}
    except OSError as error:
        raise SmecError(f"{error.filename} cannot be read ({error.strerror}). Allow it, or remove it.") from error
    for path, is_folder in entries:
        if not _is_utf8(path.name):
            raise SmecError(f"The name {path.name!r} in {folder} is not in UTF-8. Rename it.")
        if path in cycles:
            logger.warning("%s links to a folder that it is in, and is not followed.", path)
            continue
        yield path, is_folder
        if is_folder:
            yield from _below(path, inside)


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # An entry raises for links in a circle, a path does not.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
