"""The study of gradients: bars of sizes and lines of variances, and a table of ratios beside the paper's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from smec import paper_values
from smec.reporting.phrases import blocks_of, counted, key, listed, place_of
from smec.reporting.rendered import Rendered
from smec.reporting.studies.gradient_figure import draw
from smec.studies.gradients import BETWEEN, GradientsStudy

PAPER_LOSS = "rank"
"""The loss whose gradients were read off the paper's figure."""


class Quantity(NamedTuple):
    """A ratio that the paper reports."""

    name: str
    scheme: str
    measure: str
    paper: tuple[float, float]


QUANTITIES = (
    Quantity("variance, MRL / SMRL", BETWEEN, "variance", paper_values.GRADIENT_VARIANCE_RATIO),
    Quantity("low / high, MRL", "mrl", "half_ratio", paper_values.GRADIENT_HALF_RATIO["mrl"]),
    Quantity("low / high, SMRL", "smrl", "half_ratio", paper_values.GRADIENT_HALF_RATIO["smrl"]),
)
Row = Mapping[str, Any]


def render(frame: pd.DataFrame, settings: GradientsStudy) -> Rendered:
    """Return the gradients as a reader sees them.

    Args:
        frame: a frame of `smec.studies.gradients.analyse`.
        settings: of the study.
    """
    return Rendered(
        table=_table(frame, settings),
        figure=draw(frame, settings.shown_epochs),
        caption=_caption(frame),
        findings=[f"{name}: {told}" for name, rows in blocks_of(frame) for told in _findings(rows)],
        numbers=_numbers(frame),
    )


def _table(frame: pd.DataFrame, settings: GradientsStudy) -> pd.DataFrame:
    """Return a line per loss and shown epoch, then a line per case with the range over all epochs."""
    labels, lines = [], []
    for _, _, part, case, rows in _cases(frame):
        where = place_of(frame, rows.iloc[0].to_dict())
        last = _last(rows)
        where |= {"MRL's levels": str(rows["mrl_levels"].iloc[0])}
        for epoch in [epoch for epoch in settings.shown_epochs if epoch <= last] if part == "losses" else []:
            labels.append(f"{case}, epoch {epoch}")
            lines.append(where | _of_epoch(rows, epoch))
        labels.append(f"{case}, epochs 0 to {last}")
        lines.append(where | _over_epochs(rows, last))
    table = pd.DataFrame(lines, index=pd.Index(labels, name="case")).fillna("")
    over_epochs = [", epochs 0 to " in label for label in labels]
    first = [not over for over in over_epochs]
    return pd.concat([table[first], table[over_epochs]])


def _of_epoch(rows: pd.DataFrame, epoch: int) -> dict[str, str]:
    line = {}
    for quantity in QUANTITIES:
        row = _row(rows, quantity.scheme, quantity.measure, epoch)
        line[quantity.name] = _figures(row["value"]) + _interval(row)
        line[f"{quantity.name}: expected"] = _figures(row["expected"])
        line[f"{quantity.name}: paper"] = _paper(quantity, str(row["loss"]), epoch)
    return line | _fall(rows, epoch)


def _over_epochs(rows: pd.DataFrame, last: int) -> dict[str, str]:
    line, agreeing = {}, []
    for quantity in QUANTITIES:
        curve = _curve(rows, quantity.scheme, quantity.measure)
        line[quantity.name] = _range(curve["value"].min(), curve["value"].max())
        line[f"{quantity.name}: expected"] = _figures(curve["expected"].iloc[0])
        line[f"{quantity.name}: paper"] = _paper_range(quantity)
        agreeing += [quantity.name] if _within(curve["value"], quantity.paper) else []
    return line | _fall(rows, last) | {"in the paper's range": "; ".join(agreeing) or "none"}


def _fall(rows: pd.DataFrame, epoch: int) -> dict[str, str]:
    """Return SMRL's size at an epoch as a share of that at epoch 0, beside the paper's where it was read."""
    theirs = paper_values.GRADIENTS["smrl"]
    known = rows["loss"].iloc[0] == PAPER_LOSS and epoch in theirs
    return {
        "size of SMRL / epoch 0": f"{_share(rows, epoch):.3f}",
        "size of SMRL / epoch 0: net": f"{_share(rows, epoch, 'net_'):.3f}",
        "size of SMRL / epoch 0: paper": f"{_paper_share(epoch):.3f}" if known else "",
    }


def _share(rows: pd.DataFrame, epoch: int, prefix: str = "") -> float:
    sizes = [sum(_value(rows, "smrl", f"{prefix}{half}", at) for half in ("low", "high")) for at in (epoch, 0)]
    return sizes[0] / sizes[1]


def _paper_share(epoch: int) -> float:
    theirs = paper_values.GRADIENTS["smrl"]
    return (theirs[epoch].low + theirs[epoch].high) / (theirs[0].low + theirs[0].high)


def _paper(quantity: Quantity, loss: str, epoch: int) -> str:
    """Return the paper's ratio at an epoch, or where it was not read its range over epochs and losses."""
    theirs = paper_values.GRADIENTS
    if loss != PAPER_LOSS or epoch not in theirs["mrl"]:
        return _paper_range(quantity)
    if quantity.scheme == BETWEEN:
        return _figures(theirs["mrl"][epoch].variance / theirs["smrl"][epoch].variance)
    return _figures(theirs[quantity.scheme][epoch].low / theirs[quantity.scheme][epoch].high)


def _paper_range(quantity: Quantity) -> str:
    """Return the paper's range over its epochs and losses, with the digits that it has."""
    low, high = quantity.paper
    return f"{low:g} to {high:g}"


def _caption(frame: pd.DataFrame) -> str:
    first = frame.iloc[0]
    return (
        "Mean absolute gradient of the output rows [0, D/4) and [D/4, D/2) and variance over [0, D/2), mean over the "
        "steps of an epoch; epoch e: after e passes over the training queries. Both maps see the same batches from one "
        f"start. SMRL has losses at {_levels(first['smrl_levels'])} dimensions, MRL at {_levels(first['mrl_levels'])}, "
        f"where the table says nothing else. {_precision(frame)} Expected: what the inverse square of the length of "
        "the first d outputs gives alone, spread evenly over the dimensions. Net: of the mean gradient of an epoch."
    )


def _precision(frame: pd.DataFrame) -> str:
    losses, variants = (frame[frame["part"] == part]["n_seeds"].max() for part in ("losses", "variants"))
    told = f"Values of the losses are means over {counted(int(losses), 'seed')}"
    told += ", in brackets their 95 % intervals" if losses > 1 else ""
    return told + ("." if pd.isna(variants) else f"; the other cases have {counted(int(variants), 'seed')}.")


def _findings(rows: pd.DataFrame) -> list[str]:
    """Return what the ratios are on one dataset, in which cases they are the paper's, and how far sizes fall."""
    losses, told = rows[rows["part"] == "losses"], []
    for quantity in QUANTITIES:
        curve = _curve(losses, quantity.scheme, quantity.measure)
        verdict = "within" if _within(curve["value"], quantity.paper) else "not within"
        told.append(
            f"{quantity.name} {_range(curve['value'].min(), curve['value'].max())} (expected "
            f"{_figures(curve['expected'].iloc[0])}), {verdict} the paper's {_paper_range(quantity)}"
        )
    ratios = f"over all losses and epochs, {'; '.join(told)}."
    cases = {case: block for _, _, _, case, block in _cases(rows)}
    agreeing = [case for case, block in cases.items() if _agrees(block)]
    agree = f"all three lie in the paper's ranges in {listed(agreeing)}."
    if not agreeing:
        agree = "no case has all three in the paper's ranges."
    return [ratios, agree, *_by_levels(cases), _told_fall(cases)]


def _by_levels(cases: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return how the ratio of variances goes with the number of levels that the parallel map trains at once."""
    found: dict[int, list[float]] = {}
    for block in cases.values():
        levels = len(str(block["mrl_levels"].iloc[0]).split())
        found.setdefault(levels, []).extend(_curve(block, BETWEEN, "variance")["value"])
    if len(found) < 2:
        return []
    told = [
        f"{_range(min(values), max(values))} with {counted(levels, 'level')}"
        for levels, values in sorted(found.items())
    ]
    return [
        f"what decides the ratio of variances is how many levels MRL adds up: {listed(told)}, over all their cases and "
        "epochs."
    ]


def _told_fall(cases: Mapping[str, pd.DataFrame]) -> str:
    """Return how far SMRL's size falls, at the latest epoch that the paper shows as well."""
    shares = {case: _share(block, _last(block)) for case, block in cases.items()}
    least = min(shares, key=lambda case: shares[case])
    first = next(iter(shares))
    last = _last(cases[first])
    fall = f"SMRL's size falls to {100 * shares[first]:.1f} % by epoch {last} with {first}"
    if least != first:
        fall += f", and furthest, to {100 * shares[least]:.1f} % by epoch {_last(cases[least])}, with {least}"
    shared = max((epoch for epoch in paper_values.GRADIENTS["smrl"] if epoch <= last), default=0)
    if not shared:
        return f"{fall}; the paper shows no epoch up to there."
    ours = "" if shared == last else f" where ours is {100 * _share(cases[first], shared):.1f} %"
    return f"{fall} (paper: {100 * _paper_share(shared):.1f} % by epoch {shared}{ours})."


def _last(rows: pd.DataFrame) -> int:
    return int(rows["epoch"].max())


def _agrees(rows: pd.DataFrame) -> bool:
    return all(_within(_curve(rows, q.scheme, q.measure)["value"], q.paper) for q in QUANTITIES)


def _numbers(frame: pd.DataFrame) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for dataset, backbone, _, case, rows in _cases(frame):
        place = (dataset, backbone, case)
        for scheme, measure, name in [(q.scheme, q.measure, q.name) for q in QUANTITIES]:
            curve = _curve(rows, scheme, measure)
            found[key(*place, name, "least")] = float(curve["value"].min())
            found[key(*place, name, "greatest")] = float(curve["value"].max())
            found[key(*place, name, "expected")] = float(curve["expected"].iloc[0])
        last = _last(rows)
        found[key(*place, "size of smrl", "last epoch over epoch 0")] = _share(rows, last)
        found[key(*place, "agrees with the paper")] = "yes" if _agrees(rows) else "no"
    return found


def _cases(frame: pd.DataFrame) -> list[tuple[str, str, str, str, pd.DataFrame]]:
    """Return dataset, backbone, part and label of each case with its rows, in the order of the frame."""
    names = ["dataset", "backbone", "part", "case"]
    places = frame[names].drop_duplicates().itertuples(index=False, name=None)
    return [(*place, frame[(frame[names] == list(place)).all(axis=1)]) for place in places]


def _curve(rows: pd.DataFrame, scheme: str, measure: str) -> pd.DataFrame:
    return rows[(rows["scheme"] == scheme) & (rows["measure"] == measure)]


def _row(rows: pd.DataFrame, scheme: str, measure: str, epoch: int) -> Row:
    curve = _curve(rows, scheme, measure)
    return {str(name): value for name, value in curve[curve["epoch"] == epoch].iloc[0].items()}


def _value(rows: pd.DataFrame, scheme: str, measure: str, epoch: int) -> float:
    return float(_row(rows, scheme, measure, epoch)["value"])


def _within(values: "pd.Series[float]", ends: tuple[float, float]) -> bool:
    return bool(values.between(*ends).all())


def _figures(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def _interval(row: Row) -> str:
    return "" if pd.isna(row["low"]) else f" [{_figures(row['low'])}, {_figures(row['high'])}]"


def _range(low: float, high: float) -> str:
    return f"{_figures(low)} to {_figures(high)}"


def _levels(text: str) -> str:
    return listed(text.split())
