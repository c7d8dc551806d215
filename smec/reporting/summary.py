"""From per-query scores to the numbers of a table or a figure: means, intervals, the best, the paired test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smec.analysis.cells import Cell, Cells, cell, difference, means_over
from smec.errors import SmecError, nearest_name
from smec.reporting.scores import experiments, paired_values
from smec.statistics import holm

SIGNIFICANT = 0.05
TIE = 1e-12

COLUMNS = {
    "dataset": "str",
    "backbone": "str",
    "metric": "str",
    "method": "str",
    "label": "str",
    "dim": "int64",
    "reference": "bool",
    "mean": "float64",
    "low": "float64",
    "high": "float64",
    "n_datasets": "int64",
    "n_queries": "int64",
    "n_seeds": "int64",
    "best": "bool",
    "rival": "str",
    "difference": "float64",
    "p": "float64",
    "p_holm": "float64",
    "significant": "bool",
}
NUMBERS = tuple(name for name, kind in COLUMNS.items() if kind == "float64")
UNTESTED = {"rival": "", "difference": np.nan, "p": np.nan, "p_holm": np.nan, "significant": False}

Row = dict[str, Any]


@dataclass(frozen=True)
class View:
    """Which runs are set beside each other, and how.

    Attributes:
        rows: name and label of each run, in order.
        tested: the run that is tested against the best of the others at each size; None for no test.
        reference: the run that is the uncompressed backbone at the backbone's width; None for none.
        widths: width of each backbone; where it is not named, the largest size of the reference is taken.
        groups: for a dataset that is a part of a larger one, the name of that one.
    """

    rows: tuple[tuple[str, str], ...]
    tested: str | None = "smec_plus"
    reference: str | None = "truncation"
    widths: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def summarise(scores: pd.DataFrame, view: View, metric: str = "ndcg@10") -> pd.DataFrame:
    """Return one row per dataset, backbone, run and size.

    Rows of the mean over each group of datasets follow, under the name of the group, and, where a backbone has several
    datasets, rows of the dataset `average`: the mean over datasets of the runs and sizes that all of them have, each
    dataset, and each group as a whole, weighing the same.

    Args:
        scores: a frame of `read_scores`.
        view: the runs to show.
        metric: the metric to show.

    Returns:
        A frame of `COLUMNS`: `n_datasets` says how many datasets the mean is over, the parts of a group counted one by
        one; `reference` marks the row of the uncompressed backbone; `low` and `high` are the 95 %
        bootstrap interval over queries and seeds; `best` is the highest mean of its size. On the rows of the tested run
        `rival` is the best other run of that size, `difference` the tested mean minus the rival's, `p_holm` is `p`
        adjusted over the sizes of the block and `significant` says whether it is below .05.

    Raises:
        SmecError: a run of the view has no scores, or the runs were scored on different queries.
    """
    names = sorted(scores["method"].unique())
    for name in [name for name, _ in view.rows]:
        if name not in names:
            raise SmecError(f"The run {name!r} of the view has no scores. {nearest_name(name, names)}")
    wanted = scores[scores["method"].isin({name for name, _ in view.rows} | {view.reference})]
    by_backbone: dict[str, dict[str, Cells]] = {}
    for dataset, backbone in experiments(wanted):
        chosen = wanted[(wanted["dataset"] == dataset) & (wanted["backbone"] == backbone)]
        by_backbone.setdefault(backbone, {})[dataset] = _cells(chosen, metric, f"{dataset}/{backbone}")
    rows: list[Row] = []
    for backbone, sets in by_backbone.items():
        for dataset, cells in (sets | means_over(sets, view.groups)).items():
            place = {"dataset": dataset, "backbone": backbone, "metric": metric}
            rows += [place | row for row in _block(cells, view, view.widths.get(backbone))]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _cells(scores: pd.DataFrame, metric: str, place: str) -> Cells:
    """Return the cells of one dataset; datasets draw different samples, all methods of one dataset the same."""
    return {key: cell(values, place) for key, values in paired_values(scores, metric).items()}


def read_summary(path: Path) -> pd.DataFrame:
    """Read a summary that `write_tables` wrote as CSV.

    Raises:
        SmecError: the file is missing or is not such a table.
    """
    try:
        table = pd.read_csv(
            path, dtype=dict(COLUMNS), keep_default_na=False, na_values={name: [""] for name in NUMBERS}
        )
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise SmecError(f"{path} cannot be read as a table of scores ({error}). Run the rule `table` again.") from error
    if list(table.columns) != list(COLUMNS):
        raise SmecError(f"{path} is not a table of scores: its columns are {list(table.columns)}.")
    return table


def _block(cells: Cells, view: View, width: int | None) -> list[Row]:
    """Return the rows of one dataset: the reference, then the runs in the order of the view, sizes falling."""
    rows: list[Row] = [
        {"method": name, "label": label, "dim": dim, "reference": False} | _numbers(cells[name, dim])
        for name, label in view.rows
        for dim in sorted((dim for run, dim in cells if run == name), reverse=True)
    ]
    for row in rows:
        highest = max(other["mean"] for other in rows if other["dim"] == row["dim"])
        row["best"] = row["mean"] >= highest - TIE
    _test(rows, cells, view.tested)
    return _reference(cells, view.reference, width) + rows


def _numbers(shown: Cell) -> Row:
    low, high = shown.interval
    return UNTESTED | {
        "mean": shown.mean,
        "low": low,
        "high": high,
        "n_datasets": len(shown.values),
        "n_queries": shown.n_queries,
        "n_seeds": shown.n_seeds,
        "best": False,
    }


def _reference(cells: Cells, run: str | None, width: int | None) -> list[Row]:
    """Return the row of the uncompressed backbone, or none where no run has it."""
    sizes = [dim for name, dim in cells if name == run]
    full = width or max(sizes, default=0)
    if run is None or full not in sizes:
        return []
    return [{"method": run, "label": "uncompressed", "dim": full, "reference": True} | _numbers(cells[run, full])]


def _test(rows: Sequence[Row], cells: Cells, tested: str | None) -> None:
    """Fill in, on the rows of the tested run, the test against the best other run of the same size."""
    done = []
    for row in [row for row in rows if row["method"] == tested]:
        rivals = [other for other in rows if other["dim"] == row["dim"] and other["method"] != tested]
        if rivals:
            rival = max(rivals, key=lambda other: float(other["mean"]))["method"]
            found = difference(cells[row["method"], row["dim"]], cells[rival, row["dim"]])
            row |= {"rival": rival, "difference": found.mean, "p": found.p}
            done.append(row)
    for row, adjusted in zip(done, holm(np.array([row["p"] for row in done])).tolist(), strict=True):
        row |= {"p_holm": adjusted, "significant": adjusted < SIGNIFICANT}
