"""Training the backbone itself: quality over sizes, and quality over the time that it took, beside adaptors."""

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
    key,
    mark,
    place_of,
    seeds_and_queries,
    share,
)
from smec.reporting.rendered import Rendered
from smec.studies.full_parameter import FullParameterStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.3
LEGEND_HEIGHT = 0.35
MEGABYTE = 1e6
COSTS = ("training_seconds", "encoding_seconds", "peak_bytes", "trained_parameters")


def render(frame: pd.DataFrame, settings: FullParameterStudy) -> Rendered:
    """Return the study as a reader sees it.

    Args:
        frame: a frame of `smec.studies.full_parameter.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame),
        figure=_figure(frame),
        caption=_caption(frame, settings),
        findings=_findings(frame, settings),
        numbers=_numbers(frame),
    )


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per row: quality at each size with its mark, then what it cost."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        place = (row["dataset"], row["backbone"], row["row"])
        lines.setdefault(place, place_of(frame, row))[str(row["size"])] = f"{share(row['mean'])}{mark(row)}"
    for names, rows in frame.groupby(["dataset", "backbone", "row"], sort=False):
        cost = rows.iloc[0]
        lines[tuple(map(str, names))] |= {
            "mean of sizes": share(rows["mean"].mean()),
            "trained numbers": f"{cost['trained_parameters']:,.0f}",
            "training, s": f"{cost['training_seconds']:.0f}",
            "encoding anew, s": f"{cost['encoding_seconds']:.0f}" if cost["encoding_seconds"] else "none",
            "peak memory, MB": f"{cost['peak_bytes'] / MEGABYTE:,.0f}",
        }
    index = pd.Index([label for _, _, label in lines], name="row")
    return pd.DataFrame(list(lines.values()), index=index).fillna("")


def _figure(frame: pd.DataFrame) -> "Figure":
    from matplotlib.figure import Figure

    blocks = list(blocks_of(frame))
    figure = Figure(figsize=(style.DOUBLE_COLUMN, len(blocks) * PANEL_HEIGHT + LEGEND_HEIGHT))
    grid = figure.subplots(len(blocks), 2, squeeze=False)
    looks = style.styles_of(frame["run"].unique().tolist())
    for (sizes, time), (name, block) in zip(grid, blocks, strict=True):
        _draw(sizes, time, block, looks)
        sizes.set_title(name)
    handles = {str(line.get_label()): line for line in grid[0, 0].get_lines()}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, handlelength=3.2)
    return figure


def _draw(sizes: "Axes", time: "Axes", block: pd.DataFrame, looks: dict[str, style.Style]) -> None:
    for (label, run), rows in block.groupby(["row", "run"], sort=False):
        look: dict[str, Any] = looks[str(run)].line()
        sizes.plot(rows["size"], rows["mean"], label=label, **look)
        seconds = float(rows["training_seconds"].iloc[0] + rows["encoding_seconds"].iloc[0])
        time.plot(seconds, rows["mean"].mean(), **look | {"linestyle": "none"})
    ticks = sorted(block["size"].unique())
    sizes.set_xscale("log")
    sizes.set_xticks(ticks, [str(size) for size in ticks])
    sizes.set_xticks([], minor=True)
    sizes.set_xlabel("dimensions")
    sizes.set_ylabel("nDCG@10")
    time.set_xscale("log")
    time.set_xlabel("seconds of training, and of encoding anew")
    time.set_ylabel("nDCG@10, mean of all sizes")


def _caption(frame: pd.DataFrame, settings: FullParameterStudy) -> str:
    return (
        f"nDCG@10 ({seeds_and_queries(frame)}) of adaptors on frozen vectors and of a backbone that was itself "
        f"trained, whose vectors are cut at each size. {ABOVE} better, {BELOW} worse than {settings.baseline} ({TEST} "
        f"over all rows and sizes of a dataset; differences in the text: {INTERVALS}). Training: wall-clock seconds of "
        "all jobs of a run, loading included, mean over seeds. Encoding anew: the documents and queries of this "
        "dataset, which a trained backbone asks for and an adaptor does not. Peak memory: of the largest training job."
    )


def _findings(frame: pd.DataFrame, settings: FullParameterStudy) -> list[str]:
    found = []
    for name, block in blocks_of(frame):
        base = block[block["row"] == settings.baseline]
        for label, rows in block.groupby("row", sort=False):
            if float(rows["encoding_seconds"].iloc[0]) > 0:
                found.append(f"On {name}, {_beside(str(label), rows, base, settings.baseline)}")
    return found


def _beside(label: str, rows: pd.DataFrame, base: pd.DataFrame, baseline: str) -> str:
    """Return what one trained backbone gains and costs beside the baseline."""
    first, last = (rows.iloc[place].to_dict() for place in (0, -1))
    level = base.iloc[0]
    gain = rows["mean"].mean() - base["mean"].mean()
    seconds = first["training_seconds"] + first["encoding_seconds"]
    return (
        f"{label} is {signed(gain)} from {baseline} on the mean of all sizes: {change(first)} at {first['size']} and "
        f"{change(last)} at {last['size']} dimensions. It takes {seconds / level['training_seconds']:.1f} times the "
        f"time ({first['training_seconds']:.0f} s of training and {first['encoding_seconds']:.0f} s of encoding anew "
        f"against {level['training_seconds']:.0f} s), {first['peak_bytes'] / level['peak_bytes']:.1f} times the peak "
        f"memory, and trains {first['trained_parameters']:,.0f} numbers against {level['trained_parameters']:,.0f}."
    )


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame.to_dict("records"):
        place = (row["dataset"], row["backbone"], row["row"])
        found |= {key(*place, row["size"], "mean"): float(row["mean"])}
        found |= {key(*place, cost): float(row[cost]) for cost in COSTS}
        if pd.notna(row["difference"]):
            found[key(*place, row["size"], "difference")] = float(row["difference"])
    return found
