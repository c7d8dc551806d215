"""Bars of gradient sizes and lines of gradient variances over epochs, on logarithmic axes (the paper's figure 6)."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from smec import paper_values
from smec.reporting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT = 1.55
LEGEND_HEIGHT = 0.45
BAR = 0.2
"""Width of a bar; four of them at each epoch."""
SCHEMES = {"smrl": ("SMRL", "smec"), "mrl": ("MRL", "mrl")}
"""Label, and the run whose look it has."""
HATCH = "/////"


def draw(frame: pd.DataFrame, shown_epochs: Sequence[int]) -> Figure:
    """Return two rows of panels per dataset, a column per loss.

    Args:
        frame: a frame of `smec.studies.gradients.analyse`.
        shown_epochs: epochs of the bars.
    """
    losses = frame[frame["part"] == "losses"]
    places = list(losses[["dataset", "backbone"]].drop_duplicates().itertuples(index=False, name=None))
    cases = list(losses["case"].drop_duplicates())
    height = 2 * len(places) * ROW_HEIGHT + LEGEND_HEIGHT
    figure = Figure(figsize=(style.DOUBLE_COLUMN, height))
    grid = figure.subplots(2 * len(places), len(cases), squeeze=False)
    for number, (dataset, backbone) in enumerate(places):
        bars, lines = grid[2 * number], grid[2 * number + 1]
        of_place = losses[(losses["dataset"] == dataset) & (losses["backbone"] == backbone)]
        for column, case in enumerate(cases):
            rows = of_place[of_place["case"] == case]
            _bars(bars[column], rows, shown_epochs)
            _lines(lines[column], rows, shown_epochs)
            bars[column].set_title(case if len(places) == 1 else f"{dataset}, {backbone}: {case}")
        bars[0].set_ylabel("mean size")
        lines[0].set_ylabel("variance")
    _legend(figure, beside_paper=bool((losses["loss"] == "rank").any()))
    return figure


def _bars(axes: "Axes", rows: pd.DataFrame, shown_epochs: Sequence[int]) -> None:
    epochs = [epoch for epoch in shown_epochs if epoch in set(rows["epoch"])]
    heights = []
    for number, (scheme, half) in enumerate([(s, h) for s in SCHEMES for h in ("low", "high")]):
        curve = rows[(rows["scheme"] == scheme) & (rows["measure"] == half)].set_index("epoch").loc[epochs]
        places = [place + (number - 1.5) * BAR for place in range(len(epochs))]
        ends = [(curve["value"] - curve["low"]).fillna(0), (curve["high"] - curve["value"]).fillna(0)]
        axes.bar(places, curve["value"], BAR, yerr=ends, error_kw={"linewidth": 0.7}, **_bar_look(scheme, half))
        heights += curve["value"].tolist()
    _logarithmic(axes, min(heights) / 2, max(heights) * 1.6)
    axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("epoch")


def _bar_look(scheme: str, half: str) -> dict[str, Any]:
    colour = style.style_of(SCHEMES[scheme][1]).colour
    if half == "low":
        return {"facecolor": colour, "edgecolor": colour, "linewidth": 0.6}
    return {"facecolor": "white", "edgecolor": colour, "hatch": HATCH, "linewidth": 0.6}


def _lines(axes: "Axes", rows: pd.DataFrame, shown_epochs: Sequence[int]) -> None:
    axes.set_yscale("log")
    for scheme, (_, run) in SCHEMES.items():
        curve = rows[(rows["scheme"] == scheme) & (rows["measure"] == "variance")].sort_values("epoch")
        look = style.style_of(run)
        marked = curve["epoch"].isin(shown_epochs).to_numpy().nonzero()[0].tolist()
        axes.plot(curve["epoch"], curve["value"], markevery=marked, **look.line())
        if curve["low"].notna().any():
            axes.fill_between(curve["epoch"], curve["low"], curve["high"], color=look.colour, alpha=0.15, linewidth=0)
        if (rows["loss"] == "rank").all():
            theirs = {e: g.variance for e, g in paper_values.GRADIENTS[scheme].items() if e in set(curve["epoch"])}
            line = look.line() | {"linestyle": "none", "markerfacecolor": "white"}
            axes.plot(list(theirs), list(theirs.values()), **line)
    _logarithmic(axes, *axes.get_ylim())
    axes.set_xticks([epoch for epoch in shown_epochs if epoch in set(rows["epoch"])])
    axes.set_xlabel("epoch")


def _logarithmic(axes: "Axes", low: float, high: float) -> None:
    """Set a logarithmic axis from `low` to `high`, or of a whole decade where that is less, so that a tick is named."""
    decades = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
    few = high / low < 30
    axes.set_yscale("log")
    axes.set_ylim(*(decades if few else (low, high)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, beside_paper: bool) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    for scheme, (label, run) in SCHEMES.items():
        handles.append(Patch(label=f"{label}, rows [0, D/4)", **_bar_look(scheme, "low")))
        handles.append(Patch(label=f"{label}, rows [D/4, D/2)", **_bar_look(scheme, "high")))
        handles.append(Line2D([], [], label=f"{label}, variance", **style.style_of(run).line()))
    if beside_paper:
        hollow: dict[str, Any] = {"color": style.BLACK, "marker": "o", "markersize": 4, "markerfacecolor": "white"}
        handles.append(Line2D([], [], linestyle="none", label="hollow: paper's variance", **hollow))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=2.2)
