"""Whether a local copy of a published dataset has the layout that its owners give it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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
