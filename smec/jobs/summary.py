"""`smec summary`: print tables in the terminal, and where the figures and the report lie."""

from collections.abc import Sequence
from pathlib import Path

from smec.reporting.console import main_table
from smec.reporting.summary import read_summary


def text(tables: Sequence[Path], results: Path) -> str:
    """Return the tables as text, followed by the paths of figures and reports that exist under `results`."""
    parts = [main_table(read_summary(path), path.stem.replace("_", " ")) for path in tables]
    made = sorted(str(path) for path in results.glob("figures/*")) + [
        str(path) for path in sorted(results.glob("*report.html"))
    ]
    return "\n\n".join(parts) + "\n\n" + "\n".join(["Figures and reports:", *(f"  {path}" for path in made)])
