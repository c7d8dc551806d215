"""The order of the report, and where each study belongs in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TEXTS = Path(__file__).parent / "text"
ENDING = ".rst"
HEADINGS = {
    "setup": "Set-up",
    "main": "Main result",
    "ablations": "Ablations: which part of the method matters",
    "analyses": "Analyses: why, and when",
    "cost": "Cost: time, memory and bytes",
    "provenance": "Provenance",
}
WITHOUT_TEXT = "analyses"
"""The section of studies that have no text."""
ALWAYS = ("setup", "provenance")


@dataclass(frozen=True)
class Section:
    """A chapter of the page: the views and studies that it shows, by name, in order."""

    name: str
    heading: str
    views: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()


def outline(views: Sequence[str], studies: Mapping[str, str]) -> list[Section]:
    """Return the sections that have something to show, in the order of the story.

    Args:
        views: names of the views.
        studies: kind of each study, by its name.
    """
    sections = []
    for name, heading in HEADINGS.items():
        shown = tuple(study for study, kind in studies.items() if section_of(study, kind) == name)
        section = Section(name, heading, tuple(views) if name == "main" else (), shown)
        if section.views or section.studies or name in ALWAYS:
            sections.append(section)
    return sections


def text_of(study: str, kind: str) -> str | None:
    """Return the template of a study, relative to `TEXTS`: that of its name, else of its kind; None where it has none.

    The folder that it lies in is the section of the study.
    """
    paths = [Path(section) / f"{name}{ENDING}" for name in (study, kind) for section in HEADINGS]
    return next((path.as_posix() for path in paths if (TEXTS / path).exists()), None)


def section_of(study: str, kind: str) -> str:
    """Return the section that a study belongs to."""
    text = text_of(study, kind)
    return text.partition("/")[0] if text else WITHOUT_TEXT
