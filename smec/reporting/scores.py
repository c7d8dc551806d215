"""Read the per-query scores of many runs into one tidy frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.runs import name_of

STORED = ("query_id", "dim", "metric", "value")
RUN = ("dataset", "backbone", "method", "seed")


@dataclass(frozen=True)
class MetricsFile:
    """One metrics file and the run that it belongs to; `method` is the name of the run in the configuration."""

    path: Path
    dataset: str
    backbone: str
    method: str
    seed: int

    @staticmethod
    def from_path(path: str | Path) -> "MetricsFile":
        """Take the run from `.../{dataset}/{backbone}/{method}/seed{s}.parquet`.

        Raises:
            SmecError: the path does not have that form.
        """
        file = Path(path)
        number = file.stem.removeprefix("seed")
        if len(file.parts) < 4 or file.stem == number or not number.isdecimal():
            raise SmecError(
                f"{file} does not say which run it is of: metrics lie at DATASET/BACKBONE/METHOD/seedN.parquet. Move "
                "it there, or name the run explicitly."
            )
        dataset, backbone, method = file.parts[-4:-1]
        return MetricsFile(file, dataset, backbone, name_of(method), int(number))


def read_scores(files: Iterable[str | Path | MetricsFile]) -> pd.DataFrame:
    """Return the scores of all files: dataset, backbone, method, seed, query_id, dim, metric, value.

    Args:
        files: paths of the stored layout, or files with their runs.

    Raises:
        SmecError: there is no file, one is missing, damaged or has other columns or NaN, or two are of one run.
    """
    known = [file if isinstance(file, MetricsFile) else MetricsFile.from_path(file) for file in files]
    if not known:
        raise SmecError("There are no metrics files to report on. Evaluate at least one run.")
    seen: dict[tuple[str, str, str, int], Path] = {}
    for file in known:
        run = (file.dataset, file.backbone, file.method, file.seed)
        if run in seen:
            raise SmecError(f"{seen[run]} and {file.path} are both of run {'/'.join(map(str, run))}. Keep one of them.")
        seen[run] = file.path
    return pd.concat([_read(file) for file in known], ignore_index=True)


def paired_values(scores: pd.DataFrame, metric: str) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Return for every method and size the scores, float64 (S, n), seeds and query ids ascending.

    Args:
        scores: of one dataset and one backbone.
        metric: the metric to take.

    Raises:
        SmecError: the runs were not scored on the same queries, or a size is missing at some seeds.
    """
    chosen = scores[scores["metric"] == metric]
    if chosen.empty:
        raise SmecError(f"No run was scored by {metric!r}; the metrics are {sorted(scores['metric'].unique())}.")
    expected: pd.Index | None = None
    values: dict[tuple[str, int], NDArray[np.float64]] = {}
    for method in sorted(chosen["method"].unique()):
        of_method = chosen[chosen["method"] == method]
        for dim in sorted(of_method["dim"].unique()):
            table = of_method[of_method["dim"] == dim].pivot(index="seed", columns="query_id", values="value")
            expected = table.columns if expected is None else expected
            if not table.columns.equals(expected) or bool(table.isna().to_numpy().any()):
                raise SmecError(
                    f"The scores of {method} at {dim} dimensions are of other queries than those of the other runs, or "
                    f"differ between its seeds ({len(table.columns)} queries against {len(expected)}). Evaluate all "
                    "runs of this dataset again."
                )
            values[method, int(dim)] = table.to_numpy(dtype=np.float64)
    return values


def _read(file: MetricsFile) -> pd.DataFrame:
    try:
        table = pq.ParquetFile(file.path).read()
    except FileNotFoundError as error:
        raise SmecError(f"{file.path} does not exist. Evaluate that run.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise SmecError(
            f"{file.path} is not a readable parquet file ({error}). Delete it and evaluate again."
        ) from error
    if set(table.column_names) != set(STORED):
        raise SmecError(
            f"{file.path} has the columns {table.column_names} instead of {list(STORED)}. Evaluate it again."
        )
    frame: pd.DataFrame = table.select(STORED).to_pandas()
    if not np.isfinite(frame["value"]).all():
        raise SmecError(f"{file.path} holds a score that is NaN or infinite. Delete it and evaluate again.")
    if frame.duplicated(["query_id", "dim", "metric"]).any():
        raise SmecError(f"{file.path} has two scores for one query, size and metric. Delete it and evaluate again.")
    run = frame.assign(dataset=file.dataset, backbone=file.backbone, method=file.method, seed=file.seed)
    return run[[*RUN, *STORED]]


def experiments(scores: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Return the pairs of dataset and backbone in `scores`, sorted."""
    pairs = scores[["dataset", "backbone"]].drop_duplicates().itertuples(index=False)
    return sorted((str(dataset), str(backbone)) for dataset, backbone in pairs)
