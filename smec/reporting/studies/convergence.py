"""The study of convergence: curves, epochs to convergence, and the cost of a chain against a parallel map."""

from typing import Any

import pandas as pd

from smec import paper_values
from smec.analysis.convergence import epochs_to_convergence
from smec.reporting.phrases import counted, key, place_of
from smec.reporting.rendered import Rendered
from smec.reporting.studies.convergence_figure import draw
from smec.studies.convergence import ALL, RATIO, ROLES, ConvergenceStudy

SCHEMES = {"chain": "smrl", "parallel": "mrl"}
"""What the paper calls the roles."""


def render(frame: pd.DataFrame, settings: ConvergenceStudy) -> Rendered:
    """Return curves and costs as a reader sees them.

    Args:
        frame: a frame of `smec.studies.convergence.analyse`.
        settings: of the study.
    """
    lines = [*_cost_lines(frame), *_convergence_lines(frame, settings.tolerance)]
    labels = [line.pop("what") for line in lines]
    return Rendered(
        table=pd.DataFrame(lines, index=pd.Index(labels, name="what")).fillna(""),
        figure=draw(frame),
        caption=_caption(frame, settings),
        findings=_findings(frame, settings),
        numbers=_numbers(frame),
    )


def _cost_lines(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return a line per pair, size and quality: what each role takes to reach it, and the ratios."""
    lines = []
    for place, rows in _groups(frame[frame["part"] == "cost"], ["share", "size"]):
        dataset, backbone, pair, share, size = place
        about = frame[_is(frame, dataset=dataset, backbone=backbone, pair=pair, part="best", share=share)]
        wanted = about[about["size"] == size]["value"]
        served = "all sizes" if size == ALL else f"{size:.0f} dimensions"
        line = {
            "what": f"{pair}: {served}, {100 * share:g} % of the lower best",
            **place_of(frame, rows.iloc[0].to_dict()),
            "quality": f"{wanted.item():.3f}" if len(wanted) else "",
        }
        for measure in ("steps", "seconds"):
            of_measure = rows[rows["measure"] == measure]
            for role in ROLES:
                line[f"{measure}: {role}"] = _amount(_one(of_measure, role=role, hindsight=False))
            line[f"{measure}: ratio"] = _ratio(_one(of_measure, role=RATIO, hindsight=False))
            line[f"{measure}: ratio with hindsight"] = _ratio(_one(of_measure, role=RATIO, hindsight=True))
        lines.append(line)
    return lines


def _convergence_lines(frame: pd.DataFrame, tolerance: float) -> list[dict[str, str]]:
    """Return a line per run and stage: its epochs to convergence and the time of its steps."""
    lines = []
    for place, rows in _groups(frame[frame["part"] == "convergence"], ["role", "stage"]):
        dataset, backbone, pair, role, stage = place
        loss, validation = (rows[rows["measure"] == measure].iloc[0] for measure in ("loss", "validation"))
        step = _one(
            frame[_is(frame, dataset=dataset, backbone=backbone, pair=pair, part="step")], role=role, stage=stage
        )
        first = stage == _first_stage(frame, dataset, backbone, pair, role)
        lines.append(
            {
                "what": f"{pair}: {role}, stage {stage}",
                **place_of(frame, rows.iloc[0].to_dict()),
                "epochs": f"{loss['epoch'] + 1:.0f}",
                "epochs until the loss has converged": _amount(loss, 1),
                "paper, by the same rule": f"{_paper_convergence(role, tolerance):.1f}" if first else "",
                "epochs until validation has converged": _amount(validation, 1),
                "ms per step": f"{1000 * step['value']:.1f} ({1000 * step['low']:.1f} to {1000 * step['high']:.1f})",
            }
        )
    return lines


def _paper_convergence(role: str, tolerance: float) -> float:
    curve = paper_values.LOSS[SCHEMES[role]]
    return epochs_to_convergence(list(curve), list(curve.values()), falling=True, tolerance=tolerance)


def _caption(frame: pd.DataFrame, settings: ConvergenceStudy) -> str:
    seeds = int(frame["n_seeds"].max())
    return (
        "Loss per level and validation nDCG@10 of a chain, stage after stage, and of a parallel map with the losses of "
        f"all sizes (mean over {counted(seeds, 'seed')}, with 95 % intervals where there are several). Cost: steps "
        "until validation nDCG@10 of a size first reaches the given share of the lower one of the two best values, on "
        "straight lines between epochs; of a chain, all stages before and part of the one that serves the size; with "
        "hindsight, the stages before only up to the weights that were kept. Seconds: steps times the time of a step, "
        f"the least of {settings.rounds} interleaved rounds in one process. A stage has converged when "
        f"{100 * (1 - settings.tolerance):g} % of its whole gain are made, a loss starting at the mean of epoch 1."
    )


def _findings(frame: pd.DataFrame, settings: ConvergenceStudy) -> list[str]:
    answers = [_answer(rows, place) for place, rows in _groups(frame[frame["part"] == "cost"], [])]
    return [*answers, _beside_paper(frame, settings.tolerance)]


def _answer(rows: pd.DataFrame, place: tuple[Any, ...]) -> str:
    """Return what one pair says to the question whether stages one after another cost more than one map."""
    *where, pair = place
    shares = rows["share"].drop_duplicates().tolist()
    told = [_verdict(rows[rows["share"] == share]) for share in shares]
    qualities = [f"the lower best quality{'' if share == 1 else f' times {share:g}'}" for share in shares]
    answers = "; ".join(f"to {quality} {verdict}" for quality, verdict in zip(qualities, told, strict=True))
    return f"{', '.join(where)}, {pair}: to get all sizes {answers}."


def _verdict(rows: pd.DataFrame) -> str:
    told = []
    for measure, noun in (("steps", "the steps"), ("seconds", "the time")):
        ratio = _one(rows[rows["measure"] == measure], role=RATIO, size=ALL, hindsight=False)
        if pd.isna(ratio["value"]):
            return "there is no ratio, because one of the two needs no step"
        told.append(f"{_ratio(ratio)} times {noun} ({_side(ratio)})")
    return f"the chain takes {' and '.join(told)} of the parallel map"


def _side(ratio: Any) -> str:
    """Return on which side of 1 the interval of a ratio lies."""
    if pd.isna(ratio["low"]):
        return "one seed, no interval"
    return "more" if ratio["low"] > 1 else "less" if ratio["high"] < 1 else "more or less: not settled"


def _beside_paper(frame: pd.DataFrame, tolerance: float) -> str:
    chain, parallel = (_paper_convergence(role, tolerance) for role in ROLES)
    told = []
    for (dataset, backbone, pair), rows in _groups(frame[frame["part"] == "convergence"], []):
        ours = [
            _one(rows[rows["measure"] == "loss"], role=role, stage=_first_stage(frame, dataset, backbone, pair, role))
            for role in ROLES
        ]
        told.append(
            f"{pair} on {dataset} {ours[0]['value']:.1f} of {ours[0]['epoch'] + 1:.0f} epochs (first stage) and "
            f"{ours[1]['value']:.1f} of {ours[1]['epoch'] + 1:.0f} (parallel map)"
        )
    return (
        "The loss has converged, each within a run of its own length, so that only the steps above compare the two, "
        f"after: {'; '.join(told)}; the paper's curves, by the same rule, after {chain:.1f} "
        f"(SMRL) and {parallel:.1f} (MRL) of {paper_values.EPOCHS}."
    )


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for row in frame[frame["part"] == "cost"].to_dict("records"):
        if pd.isna(row["value"]):
            continue
        size = "all" if row["size"] == ALL else f"{row['size']:.0f}"
        hindsight = ("hindsight",) if row["hindsight"] else ()
        place = (row["dataset"], row["backbone"], row["pair"], size, f"{row['share']:g}", *hindsight)
        found[key(*place, row["measure"], row["role"])] = float(row["value"])
    for row in frame[frame["part"] == "convergence"].to_dict("records"):
        place = (row["dataset"], row["backbone"], row["pair"], row["role"], row["stage"], row["measure"])
        found[key(*place, "epochs to convergence")] = float(row["value"])
    return found


def _groups(rows: pd.DataFrame, names: list[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Return the rows of each dataset, backbone, pair and value of `names`, in the order of the frame."""
    columns = ["dataset", "backbone", "pair", *names]
    return [(tuple(place), group) for place, group in rows.groupby(columns, sort=False)]


def _is(frame: pd.DataFrame, **wanted: object) -> "pd.Series[bool]":
    names = list(wanted)
    return (frame[names] == list(wanted.values())).all(axis=1)


def _one(rows: pd.DataFrame, **wanted: object) -> Any:
    return rows[_is(rows, **wanted)].iloc[0]


def _first_stage(frame: pd.DataFrame, dataset: str, backbone: str, pair: str, role: str) -> str:
    rows = frame[_is(frame, dataset=dataset, backbone=backbone, pair=pair, part="convergence", role=role)]
    return str(rows["stage"].iloc[0])


def _amount(row: Any, digits: int | None = None) -> str:
    """Return a mean with its interval: steps whole, seconds with one digit."""
    if pd.isna(row["value"]):
        return "never"
    places = digits if digits is not None else 0 if row["measure"] == "steps" else 1
    interval = "" if pd.isna(row["low"]) else f" [{max(row['low'], 0):.{places}f}, {row['high']:.{places}f}]"
    return f"{row['value']:.{places}f}{interval}"


def _ratio(row: Any) -> str:
    if pd.isna(row["value"]):
        return "none"
    return f"{row['value']:.2f}" + ("" if pd.isna(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]")
