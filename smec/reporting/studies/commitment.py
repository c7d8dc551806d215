"""Commitment of ADS: a line per temperature, with what it costs and whether it is warned of; curves over the epochs."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from smec.reporting import style
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
    place_of,
    seeds_and_queries,
    share,
)
from smec.reporting.rendered import Rendered
from smec.studies.commitment import CommitmentStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.1
LEGEND_LINE = 0.17
LEGEND_COLUMNS = 4
BAND_OPACITY = 0.12
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
COLOURS = "cividis"
"""Brighter with the temperature, which also tells lines apart in grey; for the colour-blind (Nunez et al. 2018)."""
BRIGHTEST = 0.88
CURVES = {"entropy": "entropy of the selection", "changed": "share changed per epoch"}
SCORE = "ndcg@10"
LIMITS = {"entropy": "final_entropy", "changed": "late_change"}
ENDS = ("difference", "difference_low", "difference_high")

Look = dict[str, Any]


def render(frame: pd.DataFrame, settings: CommitmentStudy) -> Rendered:
    """Return the commitment as a reader sees it.

    Args:
        frame: a frame of `smec.studies.commitment.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame),
        figure=_figure(frame),
        caption=_caption(frame, settings),
        findings=[f"{_verdict(block)} ({name})." for name, block in blocks_of(_part(frame, SCORE))],
        numbers=_numbers(frame),
    )


def _name(row: Any) -> str:
    """Return how a schedule is called: `T = 1`, or `T = 1 to 0.1` where it changes."""
    return f"T = {row['start']:g}" if row["start"] == row["end"] else f"T = {row['start']:g} to {row['end']:g}"


def _baseline(settings: CommitmentStudy) -> str:
    start, end = settings.baseline
    return _name({"start": start, "end": end})


def _part(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    rows = frame[frame["measure"] == measure]
    return rows.astype({"n_queries": int}) if measure == SCORE else rows


def _of_run(frame: pd.DataFrame, row: Any, measure: str) -> Any:
    """Return the one row of a measure that is of the same place and run."""
    same = (frame["dataset"] == row["dataset"]) & (frame["backbone"] == row["backbone"]) & (frame["run"] == row["run"])
    return _part(frame[same], measure).iloc[0]


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for row in _part(frame, SCORE).to_dict("records"):
        entropy, late = (_of_run(frame, row, measure) for measure in ("final_entropy", "late_change"))
        seeds = int(row["n_seeds"])
        lines.append(
            place_of(frame, row)
            | {
                "final entropy": share(entropy["mean"], 2),
                "late change": "none is late" if pd.isna(late["mean"]) else f"{100 * late['mean']:.1f} %",
                "warned": f"{round(row['detected'] * seeds)} of {counted(seeds, 'seed')}",
                "nDCG@10": level(row),
                "difference": change(row),
            }
        )
    names = [_name(row) for row in _part(frame, SCORE).to_dict("records")]
    return pd.DataFrame(lines, index=pd.Index(names, name="temperature"))


def _figure(frame: pd.DataFrame) -> "Figure":
    from matplotlib.figure import Figure

    places = list(blocks_of(frame))
    looks = _looks(frame)
    legend = -(-len(looks) // LEGEND_COLUMNS) * LEGEND_LINE + 0.1
    figure = Figure(figsize=(style.DOUBLE_COLUMN, len(places) * PANEL_HEIGHT + legend))
    grid = figure.subplots(len(places), 3, squeeze=False, width_ratios=(1, 1, 0.8))
    for panels, (name, block) in zip(grid, places, strict=True):
        for panel, (measure, label) in zip(panels, CURVES.items(), strict=False):
            _curves(panel, _part(block, measure), looks)
            panel.axhline(_part(block, LIMITS[measure])["limit"].iloc[0], color=style.GREY, linewidth=0.8, zorder=1)
            panel.set_ylabel(label)
            panel.set_xlabel("epoch")
        _cost(panels[2], _part(block, SCORE), looks)
        if len(places) > 1:
            panels[0].set_title(name, loc="left")
    lines = {line.get_label(): line for line in grid[0, 0].get_lines() if not str(line.get_label()).startswith("_")}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=LEGEND_COLUMNS, handlelength=3.2)
    return figure


def _looks(frame: pd.DataFrame) -> dict[str, Look]:
    """Return a look per run: the hotter the brighter, dashed where the temperature falls."""
    from matplotlib import colormaps

    tried = _part(frame, SCORE).drop_duplicates("run")
    order = tried.sort_values(["start", "end"])["run"].tolist()
    found = {}
    for place, run in enumerate(order):
        row = tried[tried["run"] == run].iloc[0]
        dash = style.SOLID if row["start"] == row["end"] else style.DASHED
        colour = colormaps[COLOURS](BRIGHTEST * place / max(1, len(order) - 1))
        marker = MARKERS[place % len(MARKERS)]
        found[str(run)] = {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.1, "markersize": 3.5}
    return found


def _curves(axes: "Axes", rows: pd.DataFrame, looks: dict[str, Look]) -> None:
    for run, look in looks.items():
        line = rows[rows["run"] == run].sort_values("epoch")
        axes.fill_between(
            line["epoch"], line["low"], line["high"], color=look["color"], alpha=BAND_OPACITY, linewidth=0
        )
        axes.plot(line["epoch"], line["mean"], label=_name(line.iloc[0]), **look)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True, nbins=6)


def _cost(axes: "Axes", rows: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Draw the difference in nDCG@10 from the baseline and its interval, the coldest on top; hollow is warned of."""
    axes.axvline(0, color=style.BLACK, linewidth=0.8, zorder=1)
    for height, (run, look) in enumerate(looks.items()):
        row = rows[rows["run"] == run].fillna({name: 0.0 for name in ENDS}).iloc[0]
        face = "white" if row["detected"] > 0 else look["color"]
        axes.plot([row[ENDS[1]], row[ENDS[2]]], [height, height], color=look["color"], linewidth=1.1)
        axes.plot(row[ENDS[0]], height, **look | {"markersize": 4.5, "markerfacecolor": face})
    axes.set_yticks(range(len(looks)), [_name(rows[rows["run"] == run].iloc[0]) for run in looks])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("difference in nDCG@10")


def _caption(frame: pd.DataFrame, settings: CommitmentStudy) -> str:
    rows = _part(frame, SCORE)
    entropy, late = (float(_part(frame, name)["limit"].iloc[0]) for name in ("final_entropy", "late_change"))
    sizes = listed(sorted({int(size) for size in rows["size"]}, reverse=True))
    return (
        f"How undecided ADS is at the stage of {sizes} dimensions, by the temperature T of its noise, constant or from "
        "the start of the stage to its end. Entropy: 0 when noise never changes the selection, 1 when each dimension "
        "is a coin toss, under the noise at the end of the stage; 0 is all there is without noise. "
        f"A record warns (hollow) when the entropy of the epoch that is kept is above {entropy:g} or more than "
        f"{100 * late:g} % of the dimensions change in one of the last epochs up to it (level lines). "
        f"nDCG@10 ({seeds_and_queries(rows)}) and the difference from {_baseline(settings)}, {INTERVALS}; {ABOVE} "
        f"better, {BELOW} worse ({TEST} over the temperatures)."
    )


def _verdict(rows: pd.DataFrame) -> str:
    """Say which schedules are told, and what they cost."""
    warned = [_name(row) for row in rows[rows["detected"] > 0].to_dict("records")]
    silent = [_name(row) for row in rows[rows["detected"] == 0].to_dict("records")]
    told = f"Warned of: {listed(warned) or 'none'}; not warned of: {listed(silent) or 'none'}"
    for worst in rows.dropna(subset=["difference"]).sort_values("difference").to_dict("records")[:1]:
        told += f"; the lowest is {_name(worst)}, {change(worst)}"
    return told


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame[frame["epoch"].isna()].to_dict("records"):
        place = (row["dataset"], row["backbone"], f"{row['start']:g} to {row['end']:g}", row["measure"])
        if pd.notna(row["mean"]):
            found[key(*place)] = float(row["mean"])
        if pd.notna(row["detected"]):
            found[key(*place[:3], "detected")] = float(row["detected"])
    return found
