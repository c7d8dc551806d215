"""Studies of scores without a workflow: metrics files of made-up values, and the job that reads them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smec.evaluation import SCHEMA
from smec.studies.base import StudyExperiment, StudyJob, StudyRun

BACKBONE = "minilm"


def write_scores(folder, seed, values):
    """Write one metrics file from {size: value of each query}."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(next(iter(values.values())))
    columns = {
        "query_id": [f"q{i:03}" for i in range(count)] * len(values),
        "dim": pa.array(np.repeat(list(values), count), pa.int32()),
        "metric": ["ndcg@10"] * count * len(values),
        "value": np.concatenate(list(values.values())),
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / f"seed{seed}.parquet")


def job_of(root, settings, scores, width, groups=None):
    """Return the job of a study.

    Args:
        root: of the results.
        settings: of the study.
        scores: {dataset: {run: {size: (S, n)}}}, the same sizes for every run.
        width: of the backbone.
        groups: {dataset: name of the set that it is a part of}.
    """
    experiments, known = [], {}
    for dataset, runs in scores.items():
        sizes = tuple(sorted(next(iter(runs.values())), reverse=True))
        experiments.append(StudyExperiment(dataset, BACKBONE, sizes, width, group=(groups or {}).get(dataset)))
        for run, by_size in runs.items():
            seeds = range(len(next(iter(by_size.values()))))
            known[run] = StudyRun(run, run, {}, tuple(seeds), {}, {})
            for seed in seeds:
                folder = root / "metrics" / dataset / BACKBONE / run
                write_scores(folder, seed, {size: np.asarray(values)[seed] for size, values in by_size.items()})
    return StudyJob(settings, tuple(experiments), (0, 1, 2), known, results=root)
