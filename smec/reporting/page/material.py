"""What the page shows: tables, figures and numbers, read from the results and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from smec.errors import SmecError, nearest_name
from smec.files import read_json
from smec.paper_values import TABLES, PaperTable
from smec.reporting.summary import read_summary

WIDE = 1300
"""Pixels from which a figure takes the whole width of the page: between one and two columns of a paper at 300 dpi."""
TRAINED = "trained_clip"
"""The kind of backbones that the workflow trains."""
STUDY_KEYS = {"title": str, "kind": str, "caption": str, "findings": list, "numbers": dict}


@dataclass(frozen=True)
class Picture:
    """An image file; `kind` is `narrow` or `wide`."""

    path: Path
    kind: str


@dataclass(frozen=True)
class ShownView:
    """A table of scores and its figure; `paper` is the published table that the figure has beside ours."""

    name: str
    title: str
    summary: pd.DataFrame
    picture: Picture
    paper: PaperTable | None = None


@dataclass(frozen=True)
class ShownStudy:
    """A study; `table` holds texts, its index names the rows."""

    name: str
    title: str
    kind: str
    caption: str
    findings: Sequence[str]
    numbers: Mapping[str, float | str]
    table: pd.DataFrame
    picture: Picture

    def number(self, name: str) -> float | str:
        """Return a number by its name.

        Raises:
            SmecError: the study has no such number.
        """
        if name not in self.numbers:
            near = nearest_name(name, self.numbers) if self.numbers else "It has none."
            raise SmecError(
                f"The text of the report quotes the number {name!r} of the study {self.name!r}, which has no such "
                f"number. {near}"
            )
        return self.numbers[name]


def read_view(results: Path, name: str, settings: Mapping[str, Any]) -> ShownView:
    """Read table and figure of a view, whose `settings` are those of the configuration.

    Raises:
        SmecError: a file is missing or damaged.
    """
    summary = read_summary(results / "tables" / f"{name}.csv")
    paper = TABLES[settings["paper"]] if settings.get("paper") else None
    return ShownView(name, settings["title"], summary, _picture(results / "figures" / f"{name}.png"), paper)


def read_study(results: Path, name: str) -> ShownStudy:
    """Read table, figure, caption, findings and numbers of a study.

    Raises:
        SmecError: a file is missing or damaged, or the numbers lack a part.
    """
    path = results / "numbers" / f"{name}.json"
    told = read_json(path)
    for key, kind in STUDY_KEYS.items():
        if not isinstance(told, dict) or not isinstance(told.get(key), kind):
            raise SmecError(
                f"{path} has no {key!r} of the form that a study has. Delete it and run the workflow again."
            )
    return ShownStudy(
        name=name,
        title=told["title"],
        kind=told["kind"],
        caption=told["caption"],
        findings=told["findings"],
        numbers=told["numbers"],
        table=_texts(results / "tables" / f"{name}.csv"),
        picture=_picture(results / "figures" / f"{name}.png"),
    )


def read_manifests(results: Path, configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the manifest of each dataset of the experiments, by name.

    Raises:
        SmecError: one is missing or damaged.
    """
    names = dict.fromkeys(experiment["dataset"] for experiment in configuration["experiments"])
    return {name: read_json(results / "data" / name / "manifest.json") for name in names}


def read_models(results: Path, configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the record of each model that the workflow trained for the experiments, by the name of its backbone.

    Raises:
        SmecError: one is missing or damaged, or says nothing of its quality.
    """
    backbones = configuration["backbones"]
    used = dict.fromkeys(experiment["backbone"] for experiment in configuration["experiments"])
    trained = [name for name in used if backbones[name].get("kind") == TRAINED]
    paths = {name: results / "models" / Path(backbones[name]["model"]).name / "record.json" for name in trained}
    found = {name: read_json(path) for name, path in paths.items()}
    for name, record in found.items():
        if not isinstance(record, dict) or "ndcg@10" not in record:
            raise SmecError(f"{paths[name]} says no quality of the model. Delete it and run the workflow again.")
    return found


def _texts(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=0)
    except (OSError, ValueError) as error:
        raise SmecError(f"{path} cannot be read as a table ({error}). Delete it and run the workflow again.") from error


def _picture(path: Path) -> Picture:
    from PIL import Image

    try:
        with Image.open(path) as image:
            width = image.width
            image.verify()
    except FileNotFoundError as error:
        raise SmecError(f"{path} does not exist. Run the workflow, which draws it.") from error
    except (OSError, SyntaxError) as error:
        raise SmecError(f"{path} is not a readable image ({error}). Delete it and run the workflow again.") from error
    return Picture(path, "wide" if width >= WIDE else "narrow")
