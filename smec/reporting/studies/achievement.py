"""Achievement rates: a table with the paper's in the last rows, and lines over size, a panel per chain and space."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from smec.paper_values import ACHIEVEMENT_RATE, PAPER
from smec.reporting import style
from smec.reporting.phrases import blocks_of, counted, key, listed, place_of
from smec.reporting.rendered import Rendered
from smec.studies.achievement import PAPER_WIDTH, AchievementStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 1.9
LEGEND_HEIGHT = 0.36
BAND_OPACITY = 0.12
LEARNED_WIDTH = 1.6
NAMES = {"ads": "ADS"}
SPACES = {"frozen": "frozen vectors", "trained": "trained map"}
LOOKS: dict[str, style.Style] = {
    "ads": style.STYLES["smec"],
    "truncation": style.STYLES["truncation"],
    "random": style.STYLES["random"],
    "variance": style.Style(style.PURPLE, "h", style.DOTTED),
    "contribution": style.Style(style.ORANGE, "p", style.DASHDOT),
}
"""Of each selection; of those that are methods too, the method's."""


def render(frame: pd.DataFrame, settings: AchievementStudy) -> Rendered:
    """Return the achievement rates as a reader sees them.

    Args:
        frame: a frame of `smec.studies.achievement.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame),
        figure=_figure(frame, settings),
        caption=_caption(frame, settings),
        findings=_findings(frame),
        numbers=_numbers(frame),
    )


def _name(selection: str, learned: bool) -> str:
    """Return how a selection is called; one that a chain was trained with is told from the bare rule."""
    return NAMES.get(selection, f"{selection}, trained with" if learned else selection)


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per chain, space and selection, a column per size; the paper's two lines come last."""
    lines: dict[tuple[Any, ...], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        own = tuple(row[name] for name in ("chain", "dataset", "backbone", "space", "selection", "learned"))
        kept = {"WARE of": SPACES[row["space"]], "kept by": _name(row["selection"], row["learned"])}
        lines.setdefault(own, place_of(frame, row) | kept)[_column(row)] = _percent(row)
    index = [chain for chain, *_ in lines] + [PAPER] * 2
    return pd.DataFrame([*lines.values(), *_paper_lines(frame)], index=pd.Index(index, name="chain")).fillna("")


def _column(row: Any) -> str:
    return f"{row['size']} of {row['width']}"


def _percent(row: Any) -> str:
    return f"{100 * row['mean']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _paper_lines(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the paper's rates of ADS and of truncation, each below the size of ours that keeps the nearest share."""
    lines = [{"kept by": name} for name in ("ADS", "truncation")]
    stand_in = frame.dropna(subset=["paper_size"]).drop_duplicates(["width", "size"])
    for row in stand_in.to_dict("records"):
        theirs = int(row["paper_size"])
        for line, rate in zip(lines, ACHIEVEMENT_RATE[theirs], strict=True):
            line[_column(row)] = f"{rate:.1f} ({theirs})"
    return lines


def _figure(frame: pd.DataFrame, settings: AchievementStudy) -> "Figure":
    from matplotlib.figure import Figure

    places = list(blocks_of(frame))
    chains = [label for label, _ in settings.chains]
    rows = [(name, block, space) for name, block in places for space in settings.spaces]
    width = style.SINGLE_COLUMN if len(chains) == 1 else style.DOUBLE_COLUMN
    figure = Figure(figsize=(width, len(rows) * PANEL_HEIGHT + LEGEND_HEIGHT))
    grid = figure.subplots(len(rows), len(chains), squeeze=False, sharey=True)
    for panels, (name, block, space) in zip(grid, rows, strict=True):
        for panel, chain in zip(panels, chains, strict=True):
            _panel(panel, block[(block["chain"] == chain) & (block["space"] == space)])
            panel.set_title(f"{name}: {chain}" if len(places) > 1 else chain)
        panels[0].set_ylabel(f"achievement rate (%)\n{SPACES[space]}")
    for panel in grid[-1]:
        panel.set_xlabel("dimensions kept")
    lines = {line.get_label(): line for panel in grid.ravel() for line in panel.get_lines()}
    columns = 2 if width == style.SINGLE_COLUMN else 4
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=columns, handlelength=3.2)
    return figure


def _panel(axes: "Axes", shown: pd.DataFrame) -> None:
    """Draw one chain in one space: own selection thick, bare rules thin, chance level, the paper's hollow."""
    for (selection, learned), line in shown.groupby(["selection", "learned"], sort=False):
        points = line.sort_values("size")
        look = LOOKS[str(selection)].line() | ({"linewidth": LEARNED_WIDTH} if learned else {})
        band = {"color": look["color"], "alpha": BAND_OPACITY, "linewidth": 0}
        axes.fill_between(points["size"], 100 * points["low"], 100 * points["high"], **band)
        axes.plot(points["size"], 100 * points["mean"], label=_name(str(selection), bool(learned)), **look)
        theirs = points.dropna(subset=["paper"])
        if selection == "ads" or (selection == "truncation" and not learned):
            hollow = look | {"linestyle": "none", "markerfacecolor": "white", "markersize": 5}
            name = f"{_name(str(selection), bool(learned))}, paper"
            axes.plot(theirs["width"] * theirs["paper_size"] / PAPER_WIDTH, 100 * theirs["paper"], label=name, **hollow)
    chance = shown.drop_duplicates("size").sort_values("size")
    axes.plot(chance["size"], 100 * chance["chance"], color=style.BLACK, linewidth=0.6, label="chance")
    sizes = chance["size"].tolist()
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 104)


def _caption(frame: pd.DataFrame, settings: AchievementStudy) -> str:
    cosine = "the cosine of what is left" if settings.without == "renormalised" else "the inner product of what is left"
    pairs = frame[["dataset", "backbone", "n_queries", "n_pairs"]].drop_duplicates(["dataset", "backbone"])
    over = listed([f"{row.n_pairs} pairs of {row.n_queries} validation queries" for row in pairs.itertuples()])
    return (
        "Achievement rate: share of the N kept dimensions that are among the N of largest WARE, in %, with 95 % "
        f"bootstrap intervals over queries and seeds ({counted(int(frame['n_seeds'].max()), 'seed')}). "
        f"WARE is taken over {over} with their relevant documents and {settings.neighbours} nearest other ones; a "
        f"similarity without a dimension is {cosine}; pairs below {settings.smallest_similarity:g} in size are left "
        f"out (at most {int(frame['n_left_out'].max())}). "
        f"Hollow and in the last rows: {PAPER}, whose width is taken to be {PAPER_WIDTH}, each value beside the size "
        "that keeps the nearest share; its backbone and data differ."
    )


def _findings(frame: pd.DataFrame) -> list[str]:
    return [
        f"{chain}, {SPACES[str(space)]} ({name}): {_verdict(part)}."
        for name, block in blocks_of(frame)
        for (chain, space), part in block.groupby(["chain", "space"], sort=False)
    ]


def _verdict(block: pd.DataFrame) -> str:
    """Say how ADS stands to truncation, size by size; of a chain that was trained with a rule, what that achieves."""
    own = block[block["learned"]].set_index("size")
    rival = block[~block["learned"] & (block["selection"] == "truncation")].set_index("size")
    largest, selection = own.index.max(), str(own["selection"].iloc[0])
    rate = f"{100 * own['mean'][largest]:.1f}"
    if selection != "ads" or rival.empty:
        return f"{_name(selection, learned=True)}, achieves {rate} % at {largest}"
    above = [str(size) for size in own.index if own["low"][size] > rival["high"][size]]
    below = [str(size) for size in own.index if own["high"][size] < rival["low"][size]]
    parts = [f"above truncation at {listed(above)}"] * bool(above)
    parts += [f"below truncation at {listed(below)}"] * bool(below)
    stands = listed(parts) or "level with truncation"
    rules = block[~block["learned"] & (block["size"] == largest)].sort_values("mean", kind="stable")
    best = f"{_name(str(rules['selection'].iloc[-1]), learned=False)} with {100 * rules['mean'].iloc[-1]:.1f}"
    rates = f"{rate} against {100 * rival['mean'][largest]:.1f} % at {largest}"
    return f"ADS is {stands} by their intervals, with {rates}; the best rule there is {best}"


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame.to_dict("records"):
        selection = f"own {row['selection']}" if row["learned"] else row["selection"]
        place = (row["dataset"], row["backbone"], row["chain"], row["space"], selection, row["size"])
        found[key(*place)] = float(row["mean"])
    return found
