"""`smec evaluate`: score a run on the test queries at all its sizes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from smec.compressors import method_named
from smec.datasets import reading
from smec.evaluation import evaluate
from smec.files import atomic_path
from smec.jobs.stores import open_stores
from smec.method import Stage
from smec.self_retrieval import excluded_rows


def run(spec: Mapping[str, Any], data: Path, embeddings: Path, stages: Sequence[Path], output: Path) -> None:
    """Write per-query scores as parquet: query_id, dim, metric, value.

    Args:
        spec: `method`, `backbone` settings, `sizes`, `block_rows`.
        data: folder of the dataset.
        embeddings: folder that holds the stores `queries` and `corpus`.
        stages: the run's stage files, in order.
        output: the parquet file.
    """
    compressors = method_named(spec["method"]).compressors([Stage.load(path) for path in stages])
    queries, corpus = open_stores(data, embeddings, spec["backbone"])
    table = evaluate(
        compressors,
        queries,
        corpus,
        reading.judgements(data, "test"),
        reading.ids(data, "queries"),
        tuple(spec["sizes"]),
        exclude_rows=excluded_rows(data),
        block_rows=spec["block_rows"],
    )
    with atomic_path(output) as temporary:
        pq.write_table(table, temporary)
