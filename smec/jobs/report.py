"""`smec report`: the page with the whole story, from tables, figures and numbers of the results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec.errors import SmecError
from smec.files import write_text
from smec.reporting.page.html import html
from smec.reporting.page.outline import Section
from smec.reporting.page.story import read_story, restructured_text


def run(spec: Mapping[str, Any], results: Path, output: Path) -> None:
    """Write the page: one file with everything inside.

    Args:
        spec: `configuration`, resolved, and `sections`, each with `name`, `heading`, `views` and `studies`.
        results: root of the results that it reads.
        output: the HTML file.

    Raises:
        SmecError: a table, a figure or a number is missing.
    """
    sections = [_section(values) for values in spec["sections"]]
    write_text(output, html(restructured_text(read_story(spec["configuration"], sections, results))))


def _section(values: Mapping[str, Any]) -> Section:
    missing = [key for key in ("name", "heading", "views", "studies") if key not in values]
    if missing:
        raise SmecError(f"The section {dict(values)!r} of the report lacks {missing[0]!r}. Add it.")
    return Section(values["name"], values["heading"], tuple(values["views"]), tuple(values["studies"]))
