"""How studies write numbers, lists and keys."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from smec.reporting.display import signed
from smec.reporting.summary import SIGNIFICANT

ABOVE, BELOW = "†", "‡"
"""Marks of a difference that the test finds: the row is better, or worse, than what it is measured from."""

INTERVALS = "in brackets 95 % bootstrap intervals over queries and seeds"
TEST = f"paired randomisation test on per-query means over seeds, p < {SIGNIFICANT} after Holm's correction"


def share(value: float, digits: int = 3) -> str:
    """Return nDCG as text, such as 0.651; nothing for NaN."""
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def level(row: Mapping[Any, Any]) -> str:
    """Return the mean of a row with its interval, such as 0.651 [0.630, 0.672]."""
    return f"{share(row['mean'])} [{share(row['low'])}, {share(row['high'])}]"


def change(row: Mapping[Any, Any]) -> str:
    """Return the difference of a row with its interval and mark, such as +0.012 [+0.003, +0.021]†; nothing for NaN."""
    if pd.isna(row["difference"]):
        return ""
    low, high = signed(row["difference_low"]), signed(row["difference_high"])
    return f"{signed(row['difference'])} [{low}, {high}]{mark(row)}"


def mark(row: Mapping[Any, Any]) -> str:
    """Return the mark of a row whose difference the test finds, else nothing."""
    if pd.isna(row["p_holm"]) or row["p_holm"] >= SIGNIFICANT:
        return ""
    return ABOVE if row["difference"] > 0 else BELOW


def probability(value: float) -> str:
    """Return a p value as text: two digits, below .001 as such; nothing for NaN."""
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def listed(parts: Sequence[object]) -> str:
    """Return parts as a sentence lists them: a, b and c."""
    texts = [str(part) for part in parts]
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 row, 2 rows."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def key(*parts: object) -> str:
    """Return a name for a number: parts in lower case, joined by dots; what is no letter or digit becomes `_`."""
    return ".".join(re.sub(r"[^a-z0-9]+", "_", str(part).lower()).strip("_") for part in parts)


def seeds_and_queries(rows: pd.DataFrame) -> str:
    """Return what was averaged over, such as: 900 test queries, mean over 1 to 3 seeds."""
    queries, seeds = _span(rows["n_queries"]), _span(rows["n_seeds"])
    return f"{queries} test queries, mean over {seeds} {'seed' if seeds == '1' else 'seeds'}"


def _span(numbers: "pd.Series[int]") -> str:
    least, most = int(numbers.min()), int(numbers.max())
    return str(least) if least == most else f"{least} to {most}"


def blocks_of(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each dataset and backbone, with a name that tells them apart."""
    for dataset, backbone in frame[["dataset", "backbone"]].drop_duplicates().itertuples(index=False):
        block = frame[(frame["dataset"] == dataset) & (frame["backbone"] == backbone)]
        yield (f"{dataset}, {backbone}" if frame["backbone"].nunique() > 1 else str(dataset)), block


def place_of(frame: pd.DataFrame, row: Mapping[Any, Any]) -> dict[str, str]:
    """Return the cells that tell rows of several datasets or backbones apart; none where there is one of each."""
    return {name: str(row[name]) for name in ("dataset", "backbone") if frame[name].nunique() > 1}


def shown_name(run: str) -> str:
    """Return the name of a run as it is shown, like in the tables of views."""
    return run.replace("_", " ").replace(",", ", ")
