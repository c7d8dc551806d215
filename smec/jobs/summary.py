"""`smec summary`: print tables in the terminal, and where the figures and the report lie."""

from collections.abc import Sequence
from pathlib import Path

from smec.files import read_json
from smec.reporting.console import main_table, study_table
from smec.reporting.summary import read_summary


def text(tables: Sequence[Path], results: Path) -> str:
    """Return the tables as text, followed by the paths of figures and reports that exist under `results`.

    Args:
        tables: of views, and of studies, whose numbers lie under `results`.
        results: root of the results.

    Raises:
        SmecError: a table is neither of a view nor of a study.
    """
    parts = [_table(path, results / "numbers" / f"{path.stem}.json") for path in tables]
    made = sorted(results.glob("figures/*")) + sorted(results.glob("*report.html"))
    return "\n\n".join([*parts, "\n".join(["Figures and reports:", *(f"  {path}" for path in made)])])


def _table(path: Path, numbers: Path) -> str:
    if not numbers.exists():
        return main_table(read_summary(path), path.stem.replace("_", " "))
    told = read_json(numbers)
    return study_table(path, told["title"], told["caption"])
