"""Few labels: quality over the share of labels, a panel per size, the frozen baselines as level lines."""

from typing import TYPE_CHECKING

import pandas as pd

from smec.paper_values import FALLING_WITH_FEW_LABELS
from smec.reporting import style
from smec.reporting.display import signed
from smec.reporting.phrases import (
    ABOVE,
    BELOW,
    TEST,
    blocks_of,
    counted,
    key,
    level,
    listed,
    mark,
    place_of,
    seeds_and_queries,
    shown_name,
)
from smec.reporting.rendered import Rendered
from smec.reporting.summary import TIE
from smec.runs import entry_of
from smec.studies.few_labels import FewLabelsStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.1
LEGEND_LINE = 0.17
LEGEND_COLUMNS = 4
BAND_OPACITY = 0.12
DIVE = "dive"


def render(frame: pd.DataFrame, settings: FewLabelsStudy) -> Rendered:
    """Return the study as a reader sees it.

    Args:
        frame: a frame of `smec.studies.few_labels.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame),
        figure=_figure(frame),
        caption=_caption(frame),
        findings=_findings(frame, settings),
        numbers=_numbers(frame, settings),
    )


def _percent(portion: float) -> str:
    return f"{100 * portion:g} %"


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per method and size: a column per share, then how often it lies below the baseline."""
    shares = sorted(frame["share"].dropna().unique())
    lines, names = list[dict[str, str]](), list[str]()
    for (_, _, size, method), rows in frame.groupby(["dataset", "backbone", "size", "method"], sort=False):
        records = rows.to_dict("records")
        line = place_of(frame, records[0]) | {"dimensions": str(size)}
        for row in records:
            portions = shares if row["frozen"] else [row["share"]]
            line |= dict.fromkeys(map(_percent, portions), f"{level(row)}{mark(row)}")
        if not records[0]["frozen"]:
            line["below"] = f"{_times_below(rows)} of {len(rows)} ({_marks(rows).count(BELOW)}{BELOW})"
        lines.append(line)
        names.append(shown_name(str(method)))
    return pd.DataFrame(lines, index=pd.Index(names, name="method")).fillna("")


def _figure(frame: pd.DataFrame) -> "Figure":
    from matplotlib.figure import Figure

    blocks = list(blocks_of(frame))
    columns = max(block["size"].nunique() for _, block in blocks)
    lines = -(-frame["method"].nunique() // LEGEND_COLUMNS)
    width = style.DOUBLE_COLUMN if columns > 1 else style.SINGLE_COLUMN
    figure = Figure(figsize=(width, len(blocks) * PANEL_HEIGHT + lines * LEGEND_LINE + 0.1))
    grid = figure.subplots(len(blocks), columns, squeeze=False)
    styles = style.styles_of(frame["method"].unique().tolist())
    for panels, (name, block) in zip(grid, blocks, strict=True):
        sizes = sorted(block["size"].unique(), reverse=True)
        for panel, size in zip(panels, sizes, strict=False):
            _panel(panel, block[block["size"] == size], styles)
            panel.set_title(f"{name}: {size} dimensions" if len(blocks) > 1 else f"{size} dimensions")
        for unused in panels[len(sizes) :]:
            unused.remove()
        panels[0].set_ylabel("nDCG@10")
    handles = {str(line.get_label()): line for line in grid[0, 0].get_lines()}
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=LEGEND_COLUMNS, handlelength=3.2
    )
    return figure


def _panel(axes: "Axes", rows: pd.DataFrame, styles: dict[str, style.Style]) -> None:
    learned = rows[~rows["frozen"]]
    for row in rows[rows["frozen"]].to_dict("records"):
        level = styles[row["method"]].line() | {"marker": ""}
        axes.axhline(row["mean"], label=f"{shown_name(row['method'])} (no labels)", zorder=1, **level)
    methods = list(learned["method"].unique())
    for depth, method in enumerate(methods):
        line, look = learned[learned["method"] == method], styles[method]
        level = line["mean"] - line["difference"]
        low, high = level + line["difference_low"], level + line["difference_high"]
        axes.fill_between(line["share"], low, high, color=look.colour, alpha=BAND_OPACITY, linewidth=0)
        axes.plot(line["share"], line["mean"], label=shown_name(method), zorder=3 - depth / len(methods), **look.line())
    shares = sorted(learned["share"].unique())
    axes.set_xscale("log")
    axes.set_xticks(shares, [f"{100 * portion:g}" for portion in shares])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("labelled queries, %")


def _caption(frame: pd.DataFrame) -> str:
    return (
        f"nDCG@10 ({seeds_and_queries(_learned(frame))}; in brackets its 95 % interval) after learning from a share of "
        "the labelled queries. Bands: "
        "95 % bootstrap interval of the paired difference from the better frozen baseline, drawn from its line, so a "
        f"band that is clear of the line differs from it. {ABOVE} above, {BELOW} below it ({TEST} over all points of a "
        "dataset)."
    )


def _findings(frame: pd.DataFrame, settings: FewLabelsStudy) -> list[str]:
    learned = _learned(frame)
    claim = _told_claim(*_claim(learned, settings.few), settings.few)
    return [told for told in (_watched(learned, settings.watched), claim, _below(learned)) if told]


def _marks(rows: pd.DataFrame) -> list[str]:
    return [mark(row) for row in rows.to_dict("records")]


def _times_below(rows: pd.DataFrame) -> int:
    return int((rows["difference"] < -TIE).sum())


def _below(learned: pd.DataFrame) -> str:
    """Return how often each method lies below the baseline."""
    below, never = list[str](), list[str]()
    for method, rows in learned.groupby("method", sort=False):
        name, times = shown_name(str(method)), _times_below(rows)
        told = f"{name} at {times} of {counted(len(rows), 'point')} ({_marks(rows).count(BELOW)} significantly)"
        (below if times else never).append(told if times else name)
    if not below:
        return "No method lies below it at any point."
    return f"Below it lie {listed(below)}{f'; {listed(never)} never' if never else ''}."


def _learned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the points of single datasets."""
    return frame[~frame["frozen"] & ~frame["averaged"]]


def _claim(learned: pd.DataFrame, few: float) -> tuple[str, dict[str, bool]]:
    """Return whether DIVE's claim holds, nothing where none of its methods is there, and which methods fall below.

    The claim: with few labels other methods fall below the frozen baseline, and DIVE does not. A method falls where the
    test finds a point of it below.
    """
    scarce = learned[learned["share"] <= few]
    entries = scarce["method"].map(entry_of)
    falls = {
        name: BELOW in _marks(scarce[entries == name])
        for name in dict.fromkeys(entries)
        if name in (*FALLING_WITH_FEW_LABELS, DIVE)
    }
    others = [falls[name] for name in falls if name != DIVE]
    if not others:
        return "", {}
    if all(others) and falls.get(DIVE) is False:
        return "holds", falls
    return "holds in part" if any(others) and not falls.get(DIVE) else "does not hold", falls


def _told_claim(verdict: str, falls: dict[str, bool], few: float) -> str:
    if not verdict:
        return ""
    fallen = [shown_name(name) for name in falls if falls[name] and name != DIVE]
    kept = [shown_name(name) for name in falls if not falls[name] and name != DIVE]
    parts = [f"{listed(fallen)} {_fall(fallen)} below it"] if fallen else []
    parts += [f"{listed(kept)} {_do(kept)} not"] if kept else []
    parts += [f"{DIVE} itself {'falls below' if falls[DIVE] else 'does not'}"] if DIVE in falls else []
    return (
        "DIVE's claim, that other adaptors fall below the frozen baseline when labels are scarce and DIVE does not, "
        f"{verdict} here: with at most {_percent(few)} of the labels, significantly, {'; '.join(parts)}."
    )


def _fall(names: list[str]) -> str:
    return "falls" if len(names) == 1 else "fall"


def _do(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"


def _watched(learned: pd.DataFrame, watched: str | None) -> str:
    """Return whether the watched run stays at or above the baseline, and its lowest point."""
    rows = learned[learned["method"] == watched]
    if rows.empty:
        return ""
    lowest = rows.sort_values("difference").to_dict("records")[0]
    below = _times_below(rows)
    stays = "stays at or above" if not below else "lies below"
    points = "every point" if not below else counted(below, "point")
    ends = f"[{signed(lowest['difference_low'])}, {signed(lowest['difference_high'])}]"
    return (
        f"{shown_name(str(watched))} {stays} the better frozen baseline at {points}; "
        f"its smallest lead is {signed(lowest['difference'])} {ends}, with "
        f"{_percent(lowest['share'])} of the labels at {lowest['size']} dimensions."
    )


def _numbers(frame: pd.DataFrame, settings: FewLabelsStudy) -> dict[str, float | str]:
    learned = _learned(frame)
    found: dict[str, float | str] = {"claim": _claim(learned, settings.few)[0]}
    for method, rows in learned.groupby("method"):
        found |= {key(method, "points"): len(rows), key(method, "below"): _times_below(rows)}
        found |= {key(method, "significantly_below"): _marks(rows).count(BELOW)}
        found |= {key(method, "smallest_lead"): float(rows["difference"].min())}
    for row in frame.to_dict("records"):
        place = (row["dataset"], row["backbone"], row["method"], row["size"])
        if row["frozen"]:
            found[key(*place, "mean")] = float(row["mean"])
            continue
        for name in ("mean", "difference", "p_holm"):
            found[key(*place, f"{100 * row['share']:g}", name)] = float(row[name])
    return found
