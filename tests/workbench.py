"""A tiny dataset on disk, embedded and mined through the jobs, for what runs a whole job."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smec.jobs import embed, fetch, mine
from smec.jobs.train import Source
from tests.conftest import planted
from tests.fitting import options_of

WIDTH = 32
BACKBONE = {"kind": "precomputed", "dim": WIDTH}
IN_MEMORY = {"memory_mb": 4000, "folder": None}


@dataclass(frozen=True)
class Workbench:
    """Where the files lie; 120 queries, 160 documents."""

    data: Path
    embeddings: Path
    negatives: Path

    def spec(self, method, size=None, sizes=(32, 16, 8), seed=0, **own):
        options = options_of(method, **own).model_dump(mode="json")
        spec = {"method": method, "backbone": BACKBONE, "options": options, "sizes": list(sizes), "size": size}
        return spec | {"seed": seed, "max_documents": 1000, "labels": 1.0, "vectors": IN_MEMORY}

    @property
    def source(self):
        return Source(self.data, self.embeddings, self.negatives)

    def inputs(self):
        return {"data": self.data, "embeddings": self.embeddings}

    def command(self, spec, output, previous=None):
        """The arguments of `smec train`."""
        given = {"data": self.data, "embeddings": self.embeddings, "negatives": self.negatives, "output": output}
        given |= {} if previous is None else {"previous": previous}
        flags = [part for key, value in given.items() for part in (f"--{key}", str(value))]
        return ["train", "--spec", json.dumps(spec), *flags]


def build(folder):
    """Lay out the planted data as a set of vectors that a user brings, and run the jobs before training."""
    told = planted(queries=120)
    source = folder / "source"
    source.mkdir(parents=True)
    queries = np.concatenate([told.queries, told.validation_queries])
    np.save(source / "corpus.npy", told.documents)
    np.save(source / "queries.npy", queries)
    relevant = np.concatenate([told.positives.corpus_rows, told.validation.corpus_rows])
    lines = [f"{query}\t{document}\t1" for query, document in enumerate(relevant)]
    (source / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
    files = {name: str(source / f"{name}.npy") for name in ("corpus", "queries")}
    dataset = {"kind": "arrays", **files, "qrels": str(source / "qrels.tsv")}
    bench = Workbench(folder / "data", folder / "embeddings", folder / "negatives.safetensors")
    fetch.run({"dataset": dataset}, bench.data)
    for role in ("corpus", "queries"):
        spec = {"backbone": BACKBONE, "role": role, "shard_rows": 50, "dtype": "float32"}
        embed.run(spec, bench.data, bench.embeddings / role)
    mine.run({"backbone": BACKBONE, "count": 6, "block_rows": 64}, bench.data, bench.embeddings, bench.negatives)
    return bench
