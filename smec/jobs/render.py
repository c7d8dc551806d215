"""`smec render`: table, figure and numbers of a study, from what it has measured."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context

from smec import studies
from smec.errors import SmecError
from smec.files import write_json
from smec.reporting import style
from smec.reporting.display import write_display_tables
from smec.reporting.figures import save_figure
from smec.reporting.rendered import Rendered


def run(spec: Mapping[str, Any], measured: Path, output: Path) -> None:
    """Write `tables/{name}` as .csv, .md and .tex, `figures/{name}` as .pdf and .png, and `numbers/{name}.json`.

    Args:
        spec: `name` of the study, and `study`, its settings.
        measured: what `smec analyse` has written.
        output: root of the results.

    Raises:
        SmecError: the file of measures cannot be read.
    """
    name, settings = spec["name"], studies.parse(spec["study"])
    renderer = importlib.import_module(f"smec.reporting.studies.{settings.kind}")
    with rc_context(style.PARAMETERS):
        rendered: Rendered = renderer.render(_read(measured), settings)
        save_figure(rendered.figure, output / "figures" / name)
    write_display_tables(rendered.table, output / "tables" / name, settings.title, rendered.full_caption)
    told = {
        "title": settings.title,
        "kind": settings.kind,
        "caption": rendered.caption,
        "findings": list(rendered.findings),
        "numbers": dict(rendered.numbers),
    }
    write_json(output / "numbers" / f"{name}.json", told)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise SmecError(f"{path} cannot be read as measures of a study ({error}). Delete it, run again.") from error
