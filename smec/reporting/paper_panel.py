"""A published table of quality over size, drawn as a panel beside ours; a method has one look in both."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from smec.paper_values import PAPER, RUNS, PaperTable
from smec.reporting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def title_of(table: PaperTable) -> str:
    """Return the title of the panel: what was measured, not where it stands."""
    return f"paper: {table.source.removeprefix(f'{PAPER}, ')}"


def draw_panel(axes: "Axes", table: PaperTable, labels: Mapping[str, str], styles: Mapping[str, style.Style]) -> None:
    """Draw one line per row of the table.

    Args:
        axes: an empty panel.
        table: what to draw; its numbers are drawn as shares.
        labels: of our runs, by name; a row that is one of them takes its label, so that the legend has it once.
        styles: of our runs, by name.
    """
    for below, row in enumerate(reversed(list(table.rows))):
        run = RUNS.get(row, row)
        shares = dict(sorted(table.shares(row).items()))
        look = styles.get(run) or style.style_of(run)
        axes.plot(list(shares), list(shares.values()), label=labels.get(run, row), zorder=3 - below / 10, **look.line())
    sizes = sorted({size for row in table.rows for size in table.shares(row)})
    style.size_axis(axes, sizes)
    axes.set_ylabel(style.metric_label("ndcg@10"))
    axes.set_title(title_of(table))
