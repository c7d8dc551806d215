"""Write a table of texts as CSV, Markdown and LaTeX."""

from pathlib import Path

import pandas as pd

from smec.files import atomic_path, write_text
from smec.reporting.tables import escaped

MINUS = "\N{MINUS SIGN}"
ROUNDING = 1e-12
"""What sums of equal terms in another order may differ by."""


def signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign, such as +0.012, and a minus that is as wide as the plus; zero is +0.000."""
    return f"{0.0 if abs(value) < ROUNDING else value:+.{digits}f}".replace("-", MINUS)


def write_display_tables(table: pd.DataFrame, stem: Path, title: str, caption: str) -> list[Path]:
    """Write `stem`.csv, `stem`.md and `stem`.tex, each whole or not at all, and return their paths.

    Args:
        table: texts; the index names the rows.
        stem: path without a suffix; the folder is made.
        title: heading.
        caption: what to see.

    Raises:
        SmecError: the disk is full or the folder cannot be written.
    """
    from tabulate import tabulate

    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".csv", ".md", ".tex")]
    with atomic_path(paths[0]) as temporary:
        table.to_csv(temporary, lineterminator="\n")
    cells = tabulate(table, headers="keys", tablefmt="github", disable_numparse=True)
    write_text(paths[1], f"# {title}\n\n{cells}\n\n{caption}\n")
    write_text(paths[2], _latex(table, title, caption, stem.name))
    return paths


def _latex(table: pd.DataFrame, title: str, caption: str, label: str) -> str:
    safe = table.rename(columns=lambda name: escaped(str(name)), index=lambda name: escaped(str(name)))
    safe = safe.rename_axis(index=escaped(str(table.index.name or ""))).map(lambda text: escaped(str(text)))
    text: str = safe.to_latex(
        caption=escaped(f"{title}. {caption}"),
        label=f"tab:{label}",
        position="t",
        column_format="l" + "r" * table.shape[1],
    )
    return text
