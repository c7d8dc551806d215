"""Curves of loss and validation quality over training, chains beside parallel maps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from smec.reporting import style
from smec.reporting.phrases import shown_name
from smec.reporting.style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS_HEIGHT, QUALITY_HEIGHT = 1.35, 2.2
LEGEND_LINE = 0.17
BAND_OPACITY = 0.12
MARKERS = 6
"""About how many markers a line has."""
LINE_MARGIN, LABEL_GAP = 0.1, 0.055
"""Shares of the height that the lines span."""
LABEL: dict[str, Any] = {"fontsize": style.FONT_SIZE - 2}


def draw(frame: pd.DataFrame) -> Figure:
    """Return two rows of panels per dataset, a column per pair: loss per level, and quality of each size.

    Args:
        frame: a frame of `smec.studies.convergence.analyse`.
    """
    curves = frame[frame["part"] == "curve"]
    places = list(curves[["dataset", "backbone"]].drop_duplicates().itertuples(index=False, name=None))
    pairs = list(curves["pair"].drop_duplicates())
    looks = _looks(curves)
    heights = [LOSS_HEIGHT, QUALITY_HEIGHT] * len(places)
    width = style.SINGLE_COLUMN if len(pairs) == 1 else style.DOUBLE_COLUMN
    columns = min(2, len(pairs))
    legend_lines = -(-curves["run"].nunique() // columns)
    figure = Figure(figsize=(width, sum(heights) + legend_lines * LEGEND_LINE + 0.1))
    grid = figure.subplots(len(heights), len(pairs), squeeze=False, sharex="col", height_ratios=heights)
    for number, (dataset, backbone) in enumerate(places):
        loss, quality = grid[2 * number], grid[2 * number + 1]
        for column, pair in enumerate(pairs):
            of_pair = (curves["dataset"] == dataset) & (curves["backbone"] == backbone) & (curves["pair"] == pair)
            _panel(loss[column], curves[of_pair & (curves["measure"] == "loss")], looks)
            _panel(quality[column], curves[of_pair & (curves["measure"] == "validation")], looks)
            _count_epochs(loss[column], curves[of_pair])
            loss[column].set_title(pair if len(places) == 1 else f"{dataset}, {backbone}: {pair}")
        loss[0].set_ylabel("loss per level")
        quality[0].set_ylabel("validation nDCG@10")
    for axes in grid[-1]:
        axes.set_xlabel("steps")
    _legend(figure, curves, looks, columns)
    return figure


def _count_epochs(axes: "Axes", rows: pd.DataFrame) -> None:
    """Tell above a panel how many epochs its steps are: stages and parallel maps see the same queries in each."""
    first = rows.loc[rows["epoch"] == 1, "steps"]
    if first.empty:
        return
    per_epoch = float(first.min())
    scale: Any = (lambda steps: steps / per_epoch, lambda epochs: epochs * per_epoch)
    top = axes.secondary_xaxis("top", functions=scale)
    top.set_xlabel("epochs", **LABEL)
    top.tick_params(labelsize=LABEL["fontsize"])


def _looks(curves: pd.DataFrame) -> Mapping[str, Style]:
    runs = list(curves["run"].drop_duplicates())
    return style.styles_of(runs)


def _panel(axes: "Axes", rows: pd.DataFrame, looks: Mapping[str, Style]) -> None:
    """Draw each curve; the sizes stand at the ends of the parallel map's."""
    for (run, _, _), line in rows.groupby(["run", "stage", "size"], sort=False, dropna=False):
        look = looks[str(run)]
        chain = bool((line["role"] == "chain").all())
        drawn = look.line() | {"markersize": 2.5, "markevery": max(1, len(line) // MARKERS), "zorder": 2 + chain}
        axes.plot(line["steps"], line["value"], **drawn)
        if line["low"].notna().any():
            axes.fill_between(
                line["steps"], line["low"], line["high"], color=look.colour, alpha=BAND_OPACITY, linewidth=0
            )
    sized = rows[(rows["role"] == "parallel") & rows["size"].notna()]
    if len(sized):
        # Limits of the lines, so that a wide interval of few seeds does not flatten them.
        least, most = rows["value"].min(), rows["value"].max()
        margin = LINE_MARGIN * (most - least)
        axes.set_ylim(least - margin, most + margin)
        ends = sized[sized["steps"] == sized["steps"].max()]
        for size, height in apart(dict(zip(ends["size"], ends["value"], strict=True)), LABEL_GAP * (most - least)):
            place = (float(ends["steps"].max()), height)
            axes.annotate(f"{size:.0f}", place, (4, 0), textcoords="offset points", va="center", **LABEL)


def apart(heights: Mapping[float, float], gap: float) -> list[tuple[float, float]]:
    """Return labels with heights that are at least `gap` apart, pushed upwards from the lowest.

    >>> apart({24: 0.5, 48: 0.52, 96: 0.7}, gap=0.1)
    [(24, 0.5), (48, 0.6), (96, 0.7)]
    """
    placed: list[tuple[float, float]] = []
    for label, height in sorted(heights.items(), key=lambda entry: entry[1]):
        least = placed[-1][1] + gap if placed else height
        placed.append((label, max(height, least)))
    return placed


def _legend(figure: Figure, curves: pd.DataFrame, looks: Mapping[str, Style], columns: int) -> None:
    from matplotlib.lines import Line2D

    shown = curves[["run", "role"]].drop_duplicates().itertuples(index=False, name=None)
    handles: list[Any] = [
        Line2D([], [], label=f"{role}: {shown_name(run)}", **looks[run].line()) for run, role in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3)
