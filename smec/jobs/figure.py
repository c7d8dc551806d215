"""`smec figure`: quality over sizes, drawn from the CSV of a table."""

from pathlib import Path

from smec.paper_values import TABLES
from smec.reporting.figures import write_figure
from smec.reporting.summary import read_summary


def run(table: Path, output: Path, paper: str | None = None) -> None:
    """Write `output` + .pdf and .png; `paper` names a published table to draw beside ours."""
    write_figure(read_summary(table), output, None if paper is None else TABLES[paper])
