"""The trade-off of a memory, quality and seconds over its size: ours, and the paper's own curve beside it."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from smec.paper_values import MEMORY, PAPER
from smec.reporting import style
from smec.reporting.phrases import blocks_of
from smec.studies.memory import FORWARD, MEAN, NO_LOSS, STEP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.2
LEGEND_HEIGHT = 0.2
QUALITY, TIME = style.BLUE, style.BLACK
"""Quality looks as `smec` does; time is black and hollow."""
HOLLOW: dict[str, Any] = {"linewidth": 1, "markersize": 4, "markerfacecolor": "white"}


def draw(frame: pd.DataFrame) -> "Figure":
    """Return the figure, 7 inches wide: a panel per dataset and one of the paper, two to a row.

    Args:
        frame: a frame of `smec.studies.memory.analyse`.
    """
    from matplotlib.figure import Figure

    blocks = list(blocks_of(frame))
    lines = -(-(len(blocks) + 1) // 2)
    figure = Figure(figsize=(style.DOUBLE_COLUMN, lines * PANEL_HEIGHT + LEGEND_HEIGHT))
    panels = figure.subplots(lines, 2, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for panel, (name, block) in zip(panels, blocks, strict=False):
        handles |= _ours(panel, block)
        panel.set_title(f"{name}, measured here")
    _papers(panels[len(blocks)])
    for unused in panels[len(blocks) + 1 :]:
        unused.remove()
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4)
    return figure


def memories(block: pd.DataFrame) -> list[str]:
    """Return the memories of one dataset, no loss first, then by size."""
    known = block.loc[block["measure"] == "ndcg@10", "memory"].unique().tolist()
    return sorted(known, key=lambda memory: -1 if memory == NO_LOSS else int(memory))


def shown_size(memory: str) -> str:
    """Return a memory as it is shown, 1000 as 1,000."""
    return memory if memory == NO_LOSS else f"{int(memory):,}"


def _ours(axes: "Axes", block: pd.DataFrame) -> dict[str, Any]:
    named = {str(row["memory"]) + str(row["measure"]): row for row in block[block["dim"] == MEAN].to_dict("records")}
    sizes = [memory for memory in memories(block) if memory != NO_LOSS]
    places = range(len(sizes))
    quality = [named[f"{size}ndcg@10"]["value"] for size in sizes]
    handles: dict[str, Any] = {}
    (handles["nDCG@10"],) = axes.plot(places, quality, color=QUALITY, marker="s", markersize=4, zorder=3)
    if NO_LOSS + "ndcg@10" in named:
        handles[f"nDCG@10, {NO_LOSS}"] = axes.axhline(
            named[NO_LOSS + "ndcg@10"]["value"], color=QUALITY, linestyle=style.DOTTED, linewidth=1
        )
    for place, size in enumerate(sizes):
        gain = named.get(f"{size}gain over 0")
        if gain is not None:
            axes.vlines(place, quality[0] + gain["low"], quality[0] + gain["high"], color=QUALITY, linewidth=1)
    seconds = _beside(axes, [shown_size(size) for size in sizes])
    for measure, label, marker, dash in (
        (FORWARD, "seconds, forward", "o", style.DASHED),
        (STEP, "seconds, forward and backward", "^", style.DASHDOT),
    ):
        rows = [named[f"{size}{measure}"] for size in sizes]
        ends = [[row["value"] - row["low"] for row in rows], [row["high"] - row["value"] for row in rows]]
        handles[label] = seconds.errorbar(
            places,
            [row["value"] for row in rows],
            yerr=ends,
            color=TIME,
            marker=marker,
            linestyle=dash,
            **HOLLOW,
        )
    seconds.set_ylim(bottom=0)
    return handles


def _papers(axes: "Axes") -> None:
    places, sizes = range(len(MEMORY)), sorted(MEMORY)
    axes.plot(places, [MEMORY[size][1] for size in sizes], color=QUALITY, marker="s", markersize=4, zorder=3)
    seconds = _beside(axes, [f"{size:,}" for size in sizes])
    times = [MEMORY[size][0] for size in sizes]
    seconds.plot(places, times, color=TIME, marker="o", linestyle=style.DASHED, **HOLLOW)
    seconds.set_ylim(bottom=0)
    axes.set_title(f"the paper, {PAPER}")


def _beside(axes: "Axes", labels: list[str]) -> "Axes":
    """Label both axes of a panel and return the one for seconds."""
    from matplotlib.axes import Axes

    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlabel("vectors in the memory")
    axes.set_ylabel("nDCG@10")
    beside = axes.twinx()
    assert isinstance(beside, Axes)
    beside.set_ylabel("seconds")
    beside.grid(visible=False)
    beside.spines["right"].set_visible(True)
    return beside
