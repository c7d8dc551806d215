"""`smec table`: the table of a view, as CSV, Markdown and LaTeX; the CSV is what figures and the summary read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smec.reporting.scores import read_scores
from smec.reporting.summary import View, summarise
from smec.reporting.tables import write_tables


def run(spec: Mapping[str, Any], scores: Sequence[Path], output: Path) -> None:
    """Write `output` + .csv, .md and .tex.

    Args:
        spec: `title`, `methods` (names in the order of the rows), `reference` (the tested method or None), `widths`
            (of each backbone).
        scores: per-query score files of all methods, seeds and experiments.
        output: path without suffix.
    """
    view = View(
        rows=tuple((name, name.replace("_", " ")) for name in spec["methods"]),
        tested=spec["reference"],
        reference="truncation" if "truncation" in spec["methods"] else None,
        widths=spec["widths"],
    )
    write_tables(summarise(read_scores(scores), view), output, spec["title"])
