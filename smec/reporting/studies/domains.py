"""Several domains: levels and differences by size, and the gain over the frozen baseline, a panel per test set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

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
    listed,
    mark,
    place_of,
    seeds_and_queries,
    share,
    shown_name,
)
from smec.reporting.rendered import Rendered
from smec.studies.domains import DomainsStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.0
LEGEND_HEIGHT = 0.4
BAND_OPACITY = 0.12
JOINT = ("own", "other")
"""Questions about the joint compressor, see `smec.studies.domains.analyse`."""
SINGLES = (
    style.Style(style.BLACK, "s", style.DASHED, hollow=True),
    style.Style(style.GREY, "^", style.DOTTED, hollow=True),
    style.Style(style.SKY, "v", style.DASHDOT, hollow=True),
    style.Style(style.GREEN, "D", style.LOOSE, hollow=True),
)
"""Looks of the compressors of one dataset; the joint one has that of its method."""


def render(frame: pd.DataFrame, settings: DomainsStudy) -> Rendered:
    """Return the study as a reader sees it.

    Args:
        frame: a frame of `smec.studies.domains.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame),
        figure=_figure(frame, settings),
        caption=_caption(frame, settings),
        findings=_findings(frame, settings),
        numbers=_numbers(frame),
    )


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return, per test set, a line per compressor, then lines of joint minus single, a column per size."""
    sizes = [str(size) for size in sorted(frame["size"].unique(), reverse=True)]
    versus = frame["against"].where(frame["question"].isin(JOINT), "")
    lines, names = list[dict[str, str]](), list[str]()
    columns = ["dataset", "backbone", "method", "trained", "versus"]
    for _, rows in frame.assign(versus=versus).groupby(columns, sort=False, dropna=False):
        records = rows.to_dict("records")
        line = {"tested on": records[0]["dataset"]} | place_of(frame, records[0])
        line.pop("dataset", None)
        for row in records:
            line[str(row["size"])] = change(row) if row["versus"] else f"{share(row['mean'])}{mark(row)}"
        lines.append(line)
        names.append(_name(records[0]))
    table = pd.DataFrame(lines, index=pd.Index(names, name="compressor")).fillna("")
    return table[[*(name for name in table.columns if name not in sizes), *sizes]]


def _name(row: Mapping[Any, Any]) -> str:
    method = shown_name(str(row["method"]))
    if row["versus"]:
        return f"{method}: together minus {row['versus']} alone"
    if row["role"] == "frozen":
        return method
    return f"{method}, {_trained(row['role'], row['trained'])}"


def _trained(role: str, trained: str) -> str:
    return "trained together" if role == "joint" else f"trained on {trained}"


def _figure(frame: pd.DataFrame, settings: DomainsStudy) -> "Figure":
    from matplotlib.figure import Figure

    gains = frame[frame["question"] == "gain"]
    blocks = list(blocks_of(gains))
    height = len(settings.methods) * PANEL_HEIGHT + LEGEND_HEIGHT
    figure = Figure(figsize=(style.DOUBLE_COLUMN, height))
    grid = figure.subplots(len(settings.methods), len(blocks), squeeze=False, sharey="row")
    for panels, method in zip(grid, settings.methods, strict=True):
        for panel, (name, block) in zip(panels, blocks, strict=True):
            _panel(panel, block[block["method"] == method], settings)
            seen = "" if block["dataset"].iloc[0] in settings.together else " (unseen)"
            panel.set_title(f"{name}{seen}")
        gain = "gain over frozen, nDCG@10"
        panels[0].set_ylabel(f"{shown_name(method)}:\n{gain}" if len(grid) > 1 else gain)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), handlelength=3.2)
    return figure


def _panel(axes: "Axes", rows: pd.DataFrame, settings: DomainsStudy) -> None:
    """Draw the gain of each compressor of a method over the frozen baseline, with its paired interval."""
    axes.axhline(0, color=style.BLACK, linewidth=0.8, zorder=1)
    for place, trained in enumerate(settings.trainings()):
        line = rows[rows["trained"] == trained].sort_values("size")
        joint = trained not in settings.together
        look = style.style_of(str(line["method"].iloc[0])) if joint else SINGLES[place % len(SINGLES)]
        low, high = line["difference_low"], line["difference_high"]
        axes.fill_between(line["size"], low, high, color=look.colour, alpha=BAND_OPACITY, linewidth=0)
        label = _trained("joint" if joint else "single", trained)
        axes.plot(line["size"], line["difference"], label=label, zorder=3 if joint else 2, **look.line())
    sizes = sorted(rows["size"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("dimensions")


def _caption(frame: pd.DataFrame, settings: DomainsStudy) -> str:
    joint = frame[frame["question"].isin(JOINT)]
    return (
        f"nDCG@10 ({seeds_and_queries(joint)}) of compressors trained on {listed(settings.together)}, together and one "
        "by one. Drawn for each test set: the gain over the better frozen baseline at each size, with 95 % bootstrap "
        f"intervals of the paired difference. {ABOVE} above, {BELOW} below, levels against that baseline, differences "
        f"against zero ({TEST}; {INTERVALS})."
    )


def _findings(frame: pd.DataFrame, settings: DomainsStudy) -> list[str]:
    unseen = [_unseen(frame[frame["dataset"] == name], name) for name in settings.unseen]
    return [_answer(frame[frame["question"] == "own"]), *unseen]


def _verdict(own: pd.DataFrame) -> tuple[str, int, int]:
    """Return whether one compressor for all costs quality, and how many differences are better and worse."""
    marks = [mark(row) for row in own.to_dict("records")]
    better, worse = marks.count(ABOVE), marks.count(BELOW)
    verdict = {
        (False, False): "no cost of one compressor for all was found",
        (False, True): "one compressor for all costs quality",
        (True, False): "one compressor for all gains quality",
        (True, True): "whether one compressor for all gains or costs quality depends on the set and the size",
    }[better > 0, worse > 0]
    return verdict, better, worse


def _answer(own: pd.DataFrame) -> str:
    """Return the answer to the paper's open question, with the numbers that say so."""
    verdict, better, worse = _verdict(own)
    sets = [f"{_range(rows)} on {name}" for name, rows in own.groupby("dataset", sort=False)]
    return (
        f"Can one model serve several domains? Here {verdict}: it differs from the compressor of the set's own by "
        f"{listed(sets)}, {better} of {counted(len(own), 'difference')} significantly positive and {worse} "
        "significantly negative."
    )


def _unseen(rows: pd.DataFrame, name: str) -> str:
    """Return how the joint compressor does on a dataset that none has seen."""
    gain = rows[(rows["question"] == "gain") & (rows["role"] == "joint")]
    marks = [mark(row) for row in gain.to_dict("records")]
    significant = (
        f"{marks.count(ABOVE)} of {counted(len(gain), 'point')} significantly above, {marks.count(BELOW)} below"
    )
    joint = rows[rows["question"].isin(JOINT)]
    singles = [
        f"{_range(versus)} from the one trained on {single}" for single, versus in joint.groupby("against", sort=False)
    ]
    return (
        f"On {name}, which no compressor saw, the joint one is {_range(gain)} from the frozen baseline ({significant}) "
        f"and {listed(singles)}."
    )


def _range(rows: pd.DataFrame) -> str:
    """Return the least and the greatest difference."""
    return f"{signed(rows['difference'].min())} to {signed(rows['difference'].max())}"


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    verdict, better, worse = _verdict(frame[frame["question"] == "own"])
    found: dict[str, float | str] = {"answer": verdict, "better": better, "worse": worse}
    for row in frame.to_dict("records"):
        place = [row["dataset"], row["backbone"], row["method"], row["size"]]
        if row["role"] == "frozen":
            found[key(*place, "mean")] = float(row["mean"])
        elif row["question"] == "gain":
            found[key(*place, row["trained"], "mean")] = float(row["mean"])
            found[key(*place, row["trained"], "gain")] = float(row["difference"])
        else:
            found[key(*place, "joint_minus", row["against"])] = float(row["difference"])
            found[key(*place, "joint_minus", row["against"], "p_holm")] = float(row["p_holm"])
    return found
