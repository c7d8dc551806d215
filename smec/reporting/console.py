"""Tables as plain text, for the end of a run in a terminal."""

from pathlib import Path

import pandas as pd

from smec.reporting.tables import DAGGER, caption, grid, sections


def main_table(summary: pd.DataFrame, title: str) -> str:
    """Return the means of a summary as text: `*` at the best of each size, `†` where the test finds a difference.

    Args:
        summary: a frame of `smec.reporting.summary.summarise`.
        title: first line.
    """
    from tabulate import tabulate

    parts = [title]
    for dataset, backbone, block in sections(summary):
        cells = grid(block, bold="{}*", interval="", mark=DAGGER)
        parts.append(f"{dataset}, {backbone}")
        parts.append(tabulate(cells, headers="keys", tablefmt="simple", disable_numparse=True))
        parts.append(caption(block, best="* the best of each size"))
    return "\n\n".join(parts)


def study_table(path: Path, title: str, caption: str) -> str:
    """Return the table of a study, a CSV file that `smec render` has written, as text with its title and caption."""
    from tabulate import tabulate

    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    shown = tabulate(cells, headers="keys", tablefmt="simple", disable_numparse=True, showindex=False)
    return "\n\n".join([title, shown, caption])
