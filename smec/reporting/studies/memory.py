"""S-XBM by the size of its memory: a table beside the paper's values, and what a reader must know of the trade-off."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smec.paper_values import MEMORY
from smec.reporting.display import signed
from smec.reporting.phrases import (
    ABOVE,
    BELOW,
    INTERVALS,
    TEST,
    blocks_of,
    change,
    key,
    level,
    listed,
    mark,
    place_of,
    seeds_and_queries,
    share,
)
from smec.reporting.rendered import Rendered
from smec.reporting.studies.memory_figure import draw, memories, shown_size
from smec.studies.memory import ALL, FORWARD, MEAN, NO_LOSS, SMALLEST_OF_PAPER, STEP, MemoryStudy

MEGABYTE = 1e6
QUALITY = "ndcg@10"

Row = Mapping[Any, Any]


def render(frame: pd.DataFrame, settings: MemoryStudy) -> Rendered:
    """Return the study as a reader sees it.

    Args:
        frame: a frame of `smec.studies.memory.analyse`.
        settings: of the study.
    """
    told = frame.assign(memory=frame["memory"].astype(str))
    return Rendered(
        table=_table(told), figure=draw(told), caption=_caption(told), findings=_findings(told), numbers=_numbers(told)
    )


def _cells(block: pd.DataFrame, memory: str) -> dict[str, Row]:
    """Return the rows of one memory by their measure; of the quality, that of the mean over sizes."""
    chosen = block[(block["memory"] == memory) & (block["dim"] == MEAN)]
    return {row["measure"]: row for row in chosen.to_dict("records")}


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    lines, names = [], []
    for _, block in blocks_of(frame):
        for memory in memories(block):
            lines.append(place_of(frame, block.iloc[0].to_dict()) | _line(_cells(block, memory), memory))
            names.append(shown_size(memory))
    return pd.DataFrame(lines, index=pd.Index(names, name="memory")).fillna("")


def _line(cells: dict[str, Row], memory: str) -> dict[str, str]:
    seconds, quality = MEMORY.get(int(memory), (None, None)) if memory.isdigit() else (None, None)
    first_seconds, first_quality = MEMORY[int(SMALLEST_OF_PAPER)]
    grown, gained = _ratio_name(), f"gain over {SMALLEST_OF_PAPER}"
    line = {
        "nDCG@10": level(_mean(cells[QUALITY])),
        "over no loss": _gain(cells, f"gain over {NO_LOSS}"),
        "over 0": _gain(cells, "gain over 0"),
        f"over {SMALLEST_OF_PAPER}": _gain(cells, gained),
        "forward, s": _spread(cells[FORWARD]),
        f"forward, times {SMALLEST_OF_PAPER}": _spread(cells[grown], 2) if grown in cells else "",
        "step, s": _spread(cells[STEP]),
        "step, times 0": _spread(cells[f"{STEP}, ratio to 0"], 2) if f"{STEP}, ratio to 0" in cells else "",
        "memory, MB": _megabytes(cells, "memory bytes"),
        "its search, MB": _megabytes(cells, "search bytes"),
        "step, MB": _megabytes(cells, "step bytes"),
        "useful neighbours": f"{cells['useful neighbours']['value']:.1f}" if "useful neighbours" in cells else "",
    }
    if quality is None or seconds is None:
        return line
    beside = {
        "paper: nDCG@10": share(quality, 4),
        f"paper: over {SMALLEST_OF_PAPER}": signed(quality - first_quality, 4),
        "paper: forward, s": f"{seconds:.2f}",
        f"paper: times {SMALLEST_OF_PAPER}": f"{seconds / first_seconds:.2f}",
    }
    if gained in cells:
        beside["gain: ours minus paper's"] = signed(cells[gained]["value"] - (quality - first_quality), 4)
    if grown in cells:
        beside["times: ours minus paper's"] = signed(cells[grown]["value"] - seconds / first_seconds, 2)
    return line | beside


def _ratio_name() -> str:
    return f"{FORWARD}, ratio to {SMALLEST_OF_PAPER}"


def _mean(row: Row) -> Row:
    return {"mean": row["value"], "low": row["low"], "high": row["high"]}


def _gain(cells: dict[str, Row], measure: str) -> str:
    return change(_difference(cells[measure])) if measure in cells else ""


def _difference(row: Row) -> Row:
    ends = {"difference": row["value"], "difference_low": row["low"], "difference_high": row["high"]}
    return ends | {"p_holm": row["p_holm"]}


def _spread(row: Row, digits: int = 3) -> str:
    return f"{row['value']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def _megabytes(cells: dict[str, Row], measure: str) -> str:
    return f"{cells[measure]['value'] / MEGABYTE:.1f}" if measure in cells else ""


def _caption(frame: pd.DataFrame) -> str:
    blocks = list(blocks_of(frame))
    conditions = {row["measure"]: row["value"] for row in frame[frame["memory"] == ALL].to_dict("records")}
    return (
        f"Quality, time and bytes by the number of vectors in the memory of S-XBM; 0 takes the neighbours within the "
        f"batch, {NO_LOSS} has no such loss. nDCG@10 ({seeds_and_queries(frame.dropna(subset=['n_seeds']))}, mean "
        f"over {_averaged(blocks[0][1])} dimensions), {INTERVALS}; {ABOVE} better, {BELOW} worse ({TEST} over the "
        f"memory sizes). Time: median and quartiles of {conditions['rounds']:.0f} steps of the first stage, all sizes "
        f"in turn on full memories, {conditions['threads']:.0f} of PyTorch's threads; the paper gives seconds of a "
        "forward pass on a machine that we do not know, so what compares is the growth. In the figure, intervals of "
        "nDCG@10 are those of the paired difference from size 0, drawn from its point; the two panels have scales of "
        "their own."
    )


def _findings(frame: pd.DataFrame) -> list[str]:
    blocks = list(blocks_of(frame))
    return [(f"{name}: " if len(blocks) > 1 else "") + told for name, block in blocks for told in _seen(block)]


def _averaged(block: pd.DataFrame) -> str:
    sizes = block.loc[block["measure"] == "averaged size", "value"]
    return listed([f"{size:.0f}" for size in sorted(sizes, reverse=True)])


def _seen(block: pd.DataFrame) -> list[str]:
    """Return what the numbers say: what the loss is worth, what more memory adds, what it costs, where it repeats."""
    cells = {memory: _cells(block, memory) for memory in memories(block)}
    sizes = [memory for memory in cells if memory not in (NO_LOSS, "0")]
    wanted = block.loc[block["measure"] == "neighbours", "value"].iloc[0]
    if not sizes:
        return []
    best = max(sizes, key=lambda memory: float(cells[memory][QUALITY]["value"]))
    gain = _difference(cells[best][f"gain over {NO_LOSS}"])
    parts = [
        f"The best memory, {shown_size(best)}, is {change(gain)} above {NO_LOSS}",
        f"{change(_difference(cells[best]['gain over 0']))} above 0" if "gain over 0" in cells[best] else "",
    ]
    told = [f"{listed([part for part in parts if part])}."]
    if "0" in cells:
        better = [memory for memory in sizes if mark(_difference(cells[memory]["gain over 0"])) == ABOVE]
        told.append(f"Significantly above 0 {_are(list(map(shown_size, better)))}.")
    return [part for part in (*told, _beside_paper(cells, sizes), _repeats(cells, sizes, wanted)) if part]


def _are(names: list[str]) -> str:
    return f"{'is' if len(names) < 2 else 'are'} {listed(names) or 'none'}"


def _beside_paper(cells: dict[str, dict[str, Row]], sizes: list[str]) -> str:
    last = sizes[-1]
    if SMALLEST_OF_PAPER not in cells or last == SMALLEST_OF_PAPER or int(last) not in MEMORY:
        return ""
    (seconds, quality), (first_seconds, first_quality) = MEMORY[int(last)], MEMORY[int(SMALLEST_OF_PAPER)]
    gain, grown = cells[last][f"gain over {SMALLEST_OF_PAPER}"], cells[last][_ratio_name()]
    inside = "within" if gain["low"] <= quality - first_quality <= gain["high"] else "outside"
    return (
        f"From {shown_size(SMALLEST_OF_PAPER)} to {shown_size(last)} vectors quality changes by "
        f"{change(_difference(gain))}; the paper's {signed(quality - first_quality, 4)} is {inside} that "
        f"interval. The forward pass takes {grown['value']:.2f} times as long, in the paper "
        f"{seconds / first_seconds:.2f} times."
    )


def _repeats(cells: dict[str, dict[str, Row]], sizes: list[str], wanted: float) -> str:
    """Return where the memory holds vectors more than once, and what that leaves of the neighbours."""
    last = cells[sizes[-1]]
    held, different = last["filled"]["value"], last["different vectors"]["value"]
    useful = f"{cells[sizes[0]]['useful neighbours']['value']:.1f}", f"{last['useful neighbours']['value']:.1f}"
    return (
        f"The {held:,.0f} vectors of the largest memory are {different:,.0f} different ones: a memory that is longer "
        f"than an epoch serves the same vectors again. Of the {wanted:.0f} neighbours of a vector, {useful[0]} are "
        f"different others with {shown_size(sizes[0])} vectors and {useful[1]} with {shown_size(sizes[-1])}."
    )


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame[frame["measure"] != "averaged size"].to_dict("records"):
        size = [row["dim"]] if row["dim"] != MEAN else []
        found[key(row["dataset"], row["backbone"], row["memory"], row["measure"], *size)] = float(row["value"])
        if pd.notna(row["p_holm"]):
            found[key(row["dataset"], row["backbone"], row["memory"], row["measure"], "p_holm")] = float(row["p_holm"])
    return found
