"""`smec figure`: quality over sizes, drawn from the CSV of a table."""

from pathlib import Path

from smec.reporting.figures import write_figure
from smec.reporting.summary import read_summary


def run(table: Path, output: Path) -> None:
    """Write `output` + .pdf and .png."""
    write_figure(read_summary(table), output)
