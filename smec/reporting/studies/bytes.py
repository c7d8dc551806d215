"""Bytes against quality: the Pareto front as a table and a figure, and the setting that an engineer would take."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smec.analysis.pareto import cheapest
from smec.reporting.phrases import (
    INTERVALS,
    TEST,
    blocks_of,
    counted,
    key,
    level,
    listed,
    place_of,
    probability,
    seeds_and_queries,
    shown_name,
)
from smec.reporting.rendered import Rendered
from smec.reporting.studies.bytes_figure import FORMATS, SHOWN, draw, on_front
from smec.studies.bytes import UNCOMPRESSED, BytesStudy

KEPT = (0.99, 1.0)
Row = Mapping[Any, Any]


def render(frame: pd.DataFrame, settings: BytesStudy) -> Rendered:
    """Return the study as a reader sees it.

    Args:
        frame: a frame of `smec.studies.bytes.analyse`.
        settings: of the study.
    """
    told = pd.concat([block.assign(front=on_front(block)) for _, block in blocks_of(frame)])
    return Rendered(
        table=_table(told), figure=draw(told), caption=_caption(told), findings=_findings(told), numbers=_numbers(told)
    )


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line per setting on the front, and the uncompressed backbone; too many to read are off it."""
    shown = frame[frame["front"] | (frame["run"] == UNCOMPRESSED)]
    ordered = shown.sort_values(["dataset", "backbone", "bytes", "mean"], ascending=[True, True, True, False])
    lines = [
        place_of(frame, row)
        | {
            "dimensions": str(row["dim"]),
            "format": FORMATS[row["format"]][0],
            "bytes": str(row["bytes"]),
            "smaller by": f"{row['times']:.3g}",
            "nDCG@10": level(row),
            "kept": _kept(row),
            "p (Holm)": probability(row["p_holm"]),
        }
        for row in ordered.assign(times=_full_bytes(ordered) / ordered["bytes"]).to_dict("records")
    ]
    return pd.DataFrame(lines, index=pd.Index(map(shown_name, ordered["run"]), name="run"))


def _full_bytes(frame: pd.DataFrame) -> "pd.Series[float]":
    full = frame[frame["run"] == UNCOMPRESSED].set_index(["dataset", "backbone"])["bytes"]
    return pd.Series([full[place] for place in zip(frame["dataset"], frame["backbone"], strict=True)], frame.index)


def _kept(row: Row) -> str:
    low, high = _percent(row["share_low"]), _percent(row["share_high"])
    return f"{_percent(row['share'])} %" + (f" [{low}, {high}]" if row["run"] != UNCOMPRESSED else "")


def _percent(portion: float) -> str:
    return f"{100 * portion:.1f}"


def _caption(frame: pd.DataFrame) -> str:
    return (
        f"nDCG@10 ({seeds_and_queries(frame)}) over the bytes of a stored document vector; queries stay float32. "
        "A line per run joins its best setting for each number of bytes, hollow markers are its others; the figure "
        f"starts at {100 * SHOWN:.0f} % of the uncompressed backbone. The table has the settings that need nothing on "
        "disk and that none of no more bytes surpasses, and the uncompressed backbone; the file of measures under "
        "`results/analysis` has all. Formats are calibrated on "
        "training vectors; that keeps 8 bytes per dimension once for all vectors, not counted here. Kept: share of "
        f"the uncompressed backbone, {INTERVALS}; p: {TEST} over the settings of a dataset."
    )


def _findings(frame: pd.DataFrame) -> list[str]:
    blocks = list(blocks_of(frame))
    return [(f"{name}: " if len(blocks) > 1 else "") + told for name, block in blocks for told in _decision(block)]


def _decision(block: pd.DataFrame) -> list[str]:
    """Return the sentences that an engineer decides from."""
    full, others = block[block["run"] == UNCOMPRESSED].iloc[0], block[block["run"] != UNCOMPRESSED]
    wanted: dict[str, list[str]] = {}
    for label, measure, at_least in _criteria():
        row = _choice(others, measure, at_least)
        told = "none" if row is None else f"those of {_described(row, full)}"
        wanted.setdefault(told, []).append(label)
    smallest = [
        f"The smallest vectors that keep at least {listed(labels)} are {told}." for told, labels in wanted.items()
    ]
    return [
        *smallest,
        *_with_disk(others, full),
        f"Chosen among {counted(len(others), 'setting')} on the test queries themselves.",
    ]


def _criteria() -> list[tuple[str, str, float]]:
    """Return what a choice is asked to keep: by its mean, and by the lower end of its interval."""
    return [
        (f"{100 * at_least:.0f} %{also}", measure, at_least)
        for at_least in KEPT
        for measure, also in (("share", ""), ("share_low", " with their whole interval"))
    ]


def _with_disk(rows: pd.DataFrame, full: "pd.Series[Any]") -> list[str]:
    row = _choice(rows, "share_low", KEPT[0], on_disk=True)
    if row is None:
        return []
    return [
        f"With float vectors on disk to rescore by, {100 * KEPT[0]:.0f} % with the whole interval takes those of "
        f"{_described(row, full)}, and {row['disk_bytes']} bytes on disk."
    ]


def _choice(rows: pd.DataFrame, measure: str, at_least: float, on_disk: bool = False) -> Row | None:
    """Return the setting of fewest bytes in memory, with or without any on disk, whose `measure` reaches `at_least`."""
    asked = rows[(rows["disk_bytes"] > 0) == on_disk]
    found = cheapest(asked["bytes"].to_numpy(float), asked[measure].to_numpy(float), at_least)
    return None if found is None else dict(asked.iloc[found])


def _described(row: Row, full: "pd.Series[Any]") -> str:
    times = full["bytes"] / row["bytes"]
    return (
        f"{shown_name(row['run'])} with {row['dim']} dimensions, {FORMATS[row['format']][0]}: "
        f"{counted(row['bytes'], 'byte')} instead of {full['bytes']} ({times:.3g} times smaller), nDCG@10 "
        f"{level(row)}, which is {_kept(row)} of the uncompressed backbone (p {_equals(row['p_holm'])})"
    )


def _equals(p: float) -> str:
    told = probability(p)
    return told if told.startswith("<") else f"= {told}"


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame.to_dict("records"):
        place = (row["dataset"], row["backbone"], row["run"], row["dim"], row["format"])
        found |= {key(*place, name): float(row[name]) for name in ("mean", "share", "bytes")}
    for dataset, backbone in frame[["dataset", "backbone"]].drop_duplicates().itertuples(index=False):
        block = frame[(frame["dataset"] == dataset) & (frame["backbone"] == backbone) & (frame["run"] != UNCOMPRESSED)]
        for label, measure, at_least in _criteria():
            choice, kept = _choice(block, measure, at_least), (dataset, backbone, f"keeps {label}")
            if choice is not None:
                found |= {key(*kept, part): choice[part] for part in ("run", "format")}
                found |= {key(*kept, part): float(choice[part]) for part in ("dim", "bytes", "mean", "share", "p_holm")}
    return found
