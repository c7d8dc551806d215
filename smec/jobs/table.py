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
        spec: `title`, `rows` (name and label of each run, in order), `tested` (the tested run or None), `widths` (of
            each backbone), `groups` (of datasets that are parts of a larger one, its name).
        scores: per-query score files of all methods, seeds and experiments.
        output: path without suffix.
    """
    names = [name for name, _ in spec["rows"]]
    view = View(
        rows=tuple((name, label) for name, label in spec["rows"]),
        tested=spec["tested"],
        reference="truncation" if "truncation" in names else None,
        widths=spec["widths"],
        groups=spec["groups"],
    )
    write_tables(summarise(read_scores(scores), view), output, spec["title"])
