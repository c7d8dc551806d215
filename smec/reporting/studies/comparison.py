"""A comparison: a table of levels and differences, and a dot plot of the differences, a panel per size."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from smec.paper_values import TABLES
from smec.reporting import style
from smec.reporting.display import signed
from smec.reporting.phrases import (
    ABOVE,
    BELOW,
    INTERVALS,
    TEST,
    blocks_of,
    change,
    counted,
    key,
    level,
    listed,
    mark,
    place_of,
    probability,
    seeds_and_queries,
    share,
)
from smec.reporting.rendered import Rendered
from smec.studies.blocks import AVERAGE
from smec.studies.comparison import ComparisonStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_HEIGHT = 0.17
ROW_HEIGHT_OF_TWO = 0.24
"""Where each row has the paper's marker below ours."""
PANEL_MARGIN = 0.62
LEGEND_HEIGHT = 0.2
APART = 0.36
"""How far below ours the paper's marker lies, in rows."""
MARKER_SIZE = 4
MOST_DRAWN = 4
"""Datasets, their average included, that are all drawn; of more the average alone."""


def render(frame: pd.DataFrame, settings: ComparisonStudy) -> Rendered:
    """Return the comparison as a reader sees it.

    Args:
        frame: a frame of `smec.studies.comparison.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_long(frame) if settings.paper else _wide(frame),
        figure=_figure(frame, settings),
        caption=_caption(frame, settings),
        findings=_findings(frame, settings),
        numbers=_numbers(frame, settings),
    )


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per row and size: what stands beside the paper needs the columns."""
    lines = [
        place_of(frame, row)
        | {
            "dimensions": str(row["size"]),
            "nDCG@10": level(row),
            "difference": change(row),
            "p (Holm)": probability(row["p_holm"]),
            "paper: dimensions": "" if pd.isna(row["paper_size"]) else f"{row['paper_size']:.0f}",
            "paper: nDCG@10": share(row["paper"], 4),
            "paper: difference": _signed(row["paper_difference"], 4),
            "ours minus paper's": _signed(row["beyond_paper"], 4),
        }
        for row in frame.to_dict("records")
    ]
    return pd.DataFrame(lines, index=pd.Index(frame["row"], name="row"))


def _wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per row of the comparison, three columns per size."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        line = lines.setdefault((row["dataset"], row["backbone"], row["row"]), place_of(frame, row))
        size = str(row["size"])
        line |= {size: level(row), f"{size}: difference": change(row), f"{size}: p (Holm)": probability(row["p_holm"])}
    index = pd.Index([label for _, _, label in lines], name="row")
    return pd.DataFrame(list(lines.values()), index=index).fillna("")


def _signed(value: float, digits: int = 3) -> str:
    return "" if pd.isna(value) else signed(value, digits)


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to draw: all of few datasets, of many their average alone."""
    averages = frame[frame["dataset"] == AVERAGE]
    return frame if frame["dataset"].nunique() <= MOST_DRAWN or averages.empty else averages


def _figure(frame: pd.DataFrame, settings: ComparisonStudy) -> "Figure":
    from matplotlib.figure import Figure

    blocks = list(blocks_of(_drawn(frame)))
    columns = max(block["size"].nunique() for _, block in blocks)
    labels = [label for label, _ in settings.rows if label != settings.baseline]
    beside = bool(frame["paper_difference"].notna().any())
    row_height = ROW_HEIGHT_OF_TWO if beside else ROW_HEIGHT
    height = len(blocks) * (len(labels) * row_height + PANEL_MARGIN) + LEGEND_HEIGHT * beside
    figure = Figure(figsize=(style.DOUBLE_COLUMN, height))
    grid = figure.subplots(len(blocks), columns, squeeze=False, sharey=True, sharex="row")
    for panels, (name, block) in zip(grid, blocks, strict=True):
        sizes = sorted(block["size"].unique(), reverse=True)
        for panel, size in zip(panels, sizes, strict=False):
            _panel(panel, block[block["size"] == size].set_index("row"), labels)
            panel.set_title(f"{name}: {size}" if len(blocks) > 1 else f"{size} dimensions")
        for unused in panels[len(sizes) :]:
            unused.remove()
        panels[0].set_yticks(range(len(labels)), labels)
        panels[0].set_ylim(len(labels) - 0.4, -0.6)
    figure.supxlabel(f"difference in nDCG@10 from {settings.baseline}", fontsize=style.FONT_SIZE)
    if beside:
        _legend(figure)
    return figure


def _panel(axes: "Axes", rows: pd.DataFrame, labels: list[str]) -> None:
    """Draw one size: ours filled with its interval, the paper's hollow."""
    axes.axvline(0, color=style.BLACK, linewidth=0.8, zorder=1)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=4)
    for place, label in enumerate(labels):
        row = rows.loc[label]
        look = style.style_of(str(row["run"]))
        beside = pd.notna(row["paper_difference"])
        ends = [[row["difference"] - row["difference_low"]], [row["difference_high"] - row["difference"]]]
        axes.errorbar(
            row["difference"],
            place - APART / 2 * beside,
            xerr=ends,
            color=look.colour,
            marker=look.marker,
            markersize=MARKER_SIZE,
            linewidth=1.1,
            zorder=3,
        )
        if beside:
            axes.plot(
                row["paper_difference"],
                place + APART / 2,
                color=look.colour,
                marker=look.marker,
                markersize=MARKER_SIZE,
                markerfacecolor="white",
                linestyle="none",
                zorder=2,
            )


def _legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D

    common: dict[str, Any] = {"color": style.BLACK, "marker": "o", "markersize": MARKER_SIZE}
    ours = Line2D([], [], linewidth=1.1, label="ours, 95 % interval", **common)
    theirs = Line2D([], [], linestyle="none", markerfacecolor="white", label="paper", **common)
    figure.legend(handles=[ours, theirs], loc="outside upper right", ncols=2)


def _caption(frame: pd.DataFrame, settings: ComparisonStudy) -> str:
    drawn = " Drawn: the average over the datasets." if len(_drawn(frame)) < len(frame) else ""
    return (
        f"nDCG@10 ({seeds_and_queries(_told(frame))}) and the difference from {settings.baseline}, {INTERVALS}; "
        f"{ABOVE} better, {BELOW} worse ({TEST} over all rows and sizes of a dataset).{drawn}"
    )


def _told(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the text tells of: the averages over the datasets where there are any."""
    averages = frame[frame["dataset"] == AVERAGE]
    return frame if averages.empty else averages


def _findings(frame: pd.DataFrame, settings: ComparisonStudy) -> list[str]:
    told = _told(frame)
    rows = told[told["row"] != settings.baseline]
    facts = _facts(rows)
    ranked = rows.sort_values("difference").to_dict("records")
    lowest, highest = (
        f"{signed(row['difference'])} ({row['row']}, {row['size']} dimensions)" for row in (ranked[0], ranked[-1])
    )
    of = "On average over the datasets, of" if (told["dataset"] == AVERAGE).all() else "Of"
    counts = (
        f"{of} {counted(facts['differences'], 'difference')} from {settings.baseline}, {facts['better']} "
        f"{'is' if facts['better'] == 1 else 'are'} significantly positive and {facts['worse']} "
        f"significantly negative; they reach from {lowest} to {highest}."
    )
    return [counts] + ([_beside_paper(rows, settings.paper)] if settings.paper else [])


def _facts(rows: pd.DataFrame) -> dict[str, int]:
    """Return how many differences there are, how many the test finds, and how many are as the paper's."""
    marks = [mark(row) for row in rows.to_dict("records")]
    beside = rows.dropna(subset=["beyond_paper"])
    theirs = beside["paper_difference"]
    return {
        "differences": len(rows),
        "better": marks.count(ABOVE),
        "worse": marks.count(BELOW),
        "beside_paper": len(beside),
        "sign_of_paper": int((beside["difference"] * theirs > 0).sum()),
        "interval_holds_paper": int(theirs.between(beside["difference_low"], beside["difference_high"]).sum()),
    }


def _beside_paper(rows: pd.DataFrame, name: str) -> str:
    """Return how our differences compare with the paper's, and which sizes stand beside which."""
    table, paired = TABLES[name], rows.dropna(subset=["beyond_paper"])
    if paired.empty:
        return f"No row stands beside {table.source}."
    pairs = paired[["size", "paper_size"]].drop_duplicates().sort_values("size").astype(int)
    ours, theirs = pairs["size"].tolist(), pairs["paper_size"].tolist()
    beside = (
        "at the same sizes"
        if ours == theirs
        else f"its {listed(theirs)} dimensions beside our {listed(ours)}, paired from the smallest up"
    )
    read = f", {table.reading}" if table.reading else ""
    facts = _facts(rows)
    agree, inside = facts["sign_of_paper"], facts["interval_holds_paper"]
    return (
        f"Hollow: {table.source}{read}, {beside}. {agree} of {counted(len(paired), 'difference')} have the paper's "
        f"sign, and our interval holds the paper's value in {inside}."
    )


def _numbers(frame: pd.DataFrame, settings: ComparisonStudy) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for (dataset, backbone), rows in frame[frame["row"] != settings.baseline].groupby(["dataset", "backbone"]):
        found |= {key(dataset, backbone, name): number for name, number in _facts(rows).items()}
    for row in frame.to_dict("records"):
        place = (row["dataset"], row["backbone"], row["row"], row["size"])
        for name in ("mean", "difference", "p_holm", "beyond_paper"):
            if pd.notna(row[name]):
                found[key(*place, name)] = float(row[name])
    return found
