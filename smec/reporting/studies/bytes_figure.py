"""The Pareto figure of a study of bytes: quality over bytes, a line per run, a marker per format."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smec.analysis.pareto import pareto_front
from smec.reporting import style
from smec.reporting.phrases import blocks_of, shown_name
from smec.studies.bytes import UNCOMPRESSED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = {
    "float32": ("float32", "o"),
    "float16": ("float16", "s"),
    "int8": ("int8", "D"),
    "binary": ("binary", "v"),
    "binary_bits": ("binary, rescored by bits", "^"),
    "binary_floats": ("binary, rescored by floats", "P"),
}
"""How a format is called, and its marker."""
SHOWN = 0.5
"""Share of the full quality at which the vertical axis starts."""
FRONT: dict[str, Any] = {"color": style.GREY, "linewidth": 4, "alpha": 0.35}
FRONT_WITH_DISK: dict[str, Any] = {"color": style.GREY, "linewidth": 0.8, "linestyle": style.DOTTED}
PANEL_HEIGHT = 2.5
LEGEND_LINE = 0.16


def on_front(block: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which settings are on the Pareto front of those that need nothing on disk."""
    whole = (block["disk_bytes"] == 0).to_numpy()
    front = np.zeros(len(block), dtype=bool)
    rows = block[whole]
    front[whole] = pareto_front(rows["bytes"].to_numpy(float), rows["mean"].to_numpy(float))
    return front


def draw(frame: pd.DataFrame) -> "Figure":
    """Return the figure: 3.4 inches wide with one dataset, 7 inches with more, two to a row.

    Args:
        frame: a frame of `smec.studies.bytes.analyse`, with a column `front`.
    """
    from matplotlib.figure import Figure

    blocks = list(blocks_of(frame))
    columns = min(2, len(blocks))
    lines = -(-len(blocks) // columns)
    runs = [run for run in frame["run"].unique() if run != UNCOMPRESSED]
    styles = style.styles_of(runs)
    legend_columns = 2 * columns
    entries = len(runs) + frame["format"].nunique() + 3
    height = lines * PANEL_HEIGHT + -(-entries // legend_columns) * LEGEND_LINE + 0.1
    figure = Figure(figsize=(style.SINGLE_COLUMN if columns == 1 else style.DOUBLE_COLUMN, height))
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, (name, block) in zip(panels, blocks, strict=False):
        _panel(panel, block, styles)
        if len(blocks) > 1:
            panel.set_title(name)
    for unused in panels[len(blocks) :]:
        unused.remove()
    handles = _handles(frame, styles)
    packed = {"ncols": legend_columns, "handlelength": 2.2, "columnspacing": 1.0}
    figure.legend(handles=handles, loc="outside lower center", **packed)
    return figure


def _panel(axes: "Axes", block: pd.DataFrame, styles: dict[str, style.Style]) -> None:
    full = block[block["run"] == UNCOMPRESSED].iloc[0]
    axes.axhline(full["mean"], color=style.BLACK, linewidth=0.6, zorder=1)
    front = block[block["front"]].sort_values("bytes")
    axes.step(front["bytes"], front["mean"], where="post", zorder=1, **FRONT)
    if bool((block["disk_bytes"] > 0).any()):
        with_disk = block[pareto_front(block["bytes"].to_numpy(float), block["mean"].to_numpy(float))]
        with_disk = with_disk.sort_values("bytes")
        axes.step(with_disk["bytes"], with_disk["mean"], where="post", zorder=1, **FRONT_WITH_DISK)
    for run, look in styles.items():
        own = block[block["run"] == run].sort_values("bytes")
        chosen = own[on_front(own)]
        axes.plot(
            chosen["bytes"], chosen["mean"], color=look.colour, linestyle=look.dash, linewidth=look.width, zorder=3
        )
        for name, (_, marker) in FORMATS.items():
            of_format = own["format"] == name
            _points(axes, own[of_format & own.index.isin(chosen.index)], marker, look, best=True)
            _points(axes, own[of_format & ~own.index.isin(chosen.index)], marker, look, best=False)
    axes.plot(full["bytes"], full["mean"], color=style.BLACK, marker="*", markersize=10, linestyle="none", zorder=5)
    axes.set_xscale("log", base=2)
    ticks = [4**power for power in range(1, 12) if 4**power <= full["bytes"]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_ylim(bottom=SHOWN * full["mean"])
    axes.set_xlabel("bytes per vector in memory")
    axes.set_ylabel("nDCG@10")


def _points(axes: "Axes", rows: pd.DataFrame, marker: str, look: style.Style, best: bool) -> None:
    axes.plot(
        rows["bytes"],
        rows["mean"],
        color=look.colour,
        marker=marker,
        markersize=4 if best else 3,
        markerfacecolor=look.colour if best else "white",
        markeredgewidth=0.8 if best else 0.5,
        linestyle="none",
        zorder=4 if best else 2,
    )


def _handles(frame: pd.DataFrame, styles: dict[str, style.Style]) -> list[Any]:
    from matplotlib.lines import Line2D

    runs = [
        Line2D([], [], color=look.colour, linestyle=look.dash, linewidth=look.width, label=shown_name(run))
        for run, look in styles.items()
    ]
    formats = [
        Line2D([], [], color=style.BLACK, marker=marker, markersize=4, linestyle="none", label=name)
        for name, marker in (FORMATS[used] for used in FORMATS if used in set(frame["format"]))
    ]
    fronts = [Line2D([], [], label="Pareto front", **FRONT)]
    if bool((frame["disk_bytes"] > 0).any()):
        fronts.append(Line2D([], [], label="front with floats on disk", **FRONT_WITH_DISK))
    full = Line2D([], [], color=style.BLACK, marker="*", markersize=8, linewidth=0.6, label=UNCOMPRESSED)
    return [*runs, full, *fronts, *formats]
