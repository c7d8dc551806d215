"""Whether a local copy of a published dataset has the layout that its owners give it."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from smec.errors import SmecError

MOST_MISSING = 1 / 20
"""Share of the photos that may be missing from a set that is taken to be whole; each is then a fault of its own."""


@dataclass(frozen=True)
class Expected:
    """A file, or a folder with something in it where the name ends in a slash."""

    name: str

    def is_in(self, folder: Path) -> bool:
        """Say whether it is there."""
        path = folder / self.name
        return path.is_dir() and any(path.iterdir()) if self.name.endswith("/") else path.is_file()


def check_layout(folder: Path, expected: Sequence[Expected], dataset: str, home: str) -> str | None:
    """Return what is missing, where it comes from and how all of it should lie; None where nothing is.

    Args:
        folder: of the local copy.
        expected: its parts.
        dataset: its name.
        home: where its owners publish which files.
    """
    missing = [part.name for part in expected if not part.is_in(folder)]
    if not missing:
        return None
    return (
        f"{folder} is not a whole copy of {dataset}: it lacks {', '.join(missing)}. "
        f"Put there what {home} offers, unpacked, so that it holds {', '.join(part.name for part in expected)}."
    )


def nested(folder: Path, names: Iterable[str]) -> str | None:
    """Return which of the folders `names` has all its photos in an inner folder of the same name; None where none."""
    for name in names:
        if (folder / name / name).is_dir() and not any(_is_photo(path) for path in (folder / name).iterdir()):
            return (
                f"{folder / name} holds another folder {name}, and the photos are in there. Move them up, so that "
                f"{folder / name} holds the photos themselves."
            )
    return None


def refuse_partly_unpacked(folder: Path, photos: Sequence[str], dataset: str, home: str) -> None:
    """Raise `SmecError` where so many photos are missing that the set is another one, or not all of it was unpacked.

    Args:
        folder: of the local copy.
        photos: their paths, relative to `folder`, as the lists of the set name them.
        dataset: its name.
        home: where its owners publish which files.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for photo in photos:
        names[str(PurePosixPath(photo).parent)].add(PurePosixPath(photo).name)
    missing = sorted(f"{inner}/{name}" for inner, known in names.items() for name in known - _files(folder / inner))
    if len(missing) > MOST_MISSING * len(photos):
        raise SmecError(
            f"{folder} is not a whole copy of {dataset}: of the {len(photos)} photos that its lists name it lacks "
            f"{len(missing)}, such as {missing[0]}. They were not unpacked, or lie elsewhere. Put there what {home} "
            "offers, unpacked, so that they are where the lists say."
        )


def _files(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as found:
            return {entry.name for entry in found}
    except OSError:
        return set()


def _is_photo(path: Path) -> bool:
    # A Mac leaves a hidden file in every folder that was opened.
    return path.is_file() and not path.name.startswith(".")
