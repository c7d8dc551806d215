"""Draw a summary: one metric over the size, one line per run with its interval, as PDF and PNG."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from smec.files import atomic_path
from smec.paper_values import PaperTable
from smec.reporting import style
from smec.reporting.paper_panel import draw_panel
from smec.reporting.tables import sections

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.1
LEGEND_LINE = 0.16
BAND_OPACITY = 0.12
NO_DATES: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "ModDate": None, "Producer": None},
    "png": {"Software": None},
}


def write_figure(summary: pd.DataFrame, stem: Path, paper: PaperTable | None = None) -> list[Path]:
    """Write `stem`.pdf and `stem`.png, each whole or not at all, and return their paths.

    One panel per dataset and backbone, and a last one for a published table; the x axis is logarithmic with the sizes
    as ticks, the uncompressed backbone is a level line, the legend lies below the panels. Equal summaries give equal
    bytes.

    Args:
        summary: a frame of `smec.reporting.summary.summarise`.
        stem: path without a suffix; the folder is made.
        paper: what is drawn beside ours.

    Raises:
        SmecError: the disk is full or the folder cannot be written.
    """
    from matplotlib import rc_context

    with rc_context(style.PARAMETERS):
        return save_figure(draw(summary, paper), stem)


def save_figure(figure: "Figure", stem: Path) -> list[Path]:
    """Write `stem`.pdf and `stem`.png, each whole or not at all, and return their paths; equal figures, equal bytes.

    Raises:
        SmecError: the disk is full or the folder cannot be written.
    """
    paths = []
    for kind, metadata in NO_DATES.items():
        paths.append(stem.with_name(f"{stem.name}.{kind}"))
        with atomic_path(paths[-1]) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
    return paths


def draw(summary: pd.DataFrame, paper: PaperTable | None = None) -> "Figure":
    """Return the figure: 3.4 inches wide with one panel, 7 inches with more, two to a row."""
    from matplotlib.figure import Figure

    blocks = list(sections(summary))
    count = len(blocks) + (paper is not None)
    columns = min(2, count)
    rows = -(-count // columns)
    runs = summary.loc[~summary["reference"], ["method", "label"]].drop_duplicates()
    legend_columns = 2 * columns
    legend_rows = -(-(len(runs) + 1) // legend_columns)
    width = style.SINGLE_COLUMN if columns == 1 else style.DOUBLE_COLUMN
    figure = Figure(figsize=(width, rows * PANEL_HEIGHT + legend_rows * LEGEND_LINE + 0.1))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = style.styles_of(runs["method"].tolist())
    for panel, (dataset, backbone, block) in zip(panels, blocks, strict=False):
        _panel(panel, block, styles)
        panel.set_title(f"{dataset}, {backbone}")
    if paper is not None:
        draw_panel(panels[len(blocks)], paper, dict(runs.itertuples(index=False)), styles)
    for unused in panels[count:]:
        unused.remove()
    lines = {line.get_label(): line for panel in panels[:count] for line in panel.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=legend_columns, handlelength=3.2)
    return figure


def _panel(axes: "Axes", block: pd.DataFrame, styles: dict[str, style.Style]) -> None:
    shown = block[~block["reference"]]
    lines = shown[["method", "label"]].drop_duplicates()
    for below, (method, label) in enumerate(lines.itertuples(index=False)):
        height = 3 - below / len(lines)  # the first run of the view lies on top
        line = shown[shown["method"] == method].sort_values("dim")
        axes.fill_between(
            line["dim"], line["low"], line["high"], color=styles[method].colour, alpha=BAND_OPACITY, linewidth=0
        )
        axes.plot(line["dim"], line["mean"], label=label, zorder=height, **styles[method].line())
    for row in block[block["reference"]].to_dict("records"):
        axes.axhline(row["mean"], color=style.BLACK, linewidth=0.8, zorder=1, label=f"{row['label']} ({row['dim']})")
    style.size_axis(axes, sorted(shown["dim"].unique()))
    axes.set_ylabel(style.metric_label(str(block["metric"].iloc[0])))
