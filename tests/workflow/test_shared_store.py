"""A corpus that several jobs encode: one dies half way, the next call does what is left, and the store is the same."""

import numpy as np
import pytest
import yaml

from smec.datasets import reading
from smec.embedding import embed
from tests.workflow.running import CORES, copy_of_the_repository, rules_of, snakemake, tool

pytestmark = pytest.mark.workflow

ROWS, DIM, SHARD_ROWS = 40, 8, 5
STORE = "results/embeddings/mine/mine/corpus"
DIES_AT = 4
"""The last of the shards 2, 3 and 4, which the second of three jobs writes."""
DYING = f"""
import os, signal, sys
if "embed-part" in sys.orig_argv:
    from smec.store_writer import StoreWriter
    whole = StoreWriter.write

    def write(self, shard, vectors, ids):
        if shard == {DIES_AT}:
            (self.folder / ".shard-0000{DIES_AT}.killed.npy").write_bytes(b"half a shard")
            os.kill(os.getpid(), signal.SIGKILL)
        whole(self, shard, vectors, ids)

    StoreWriter.write = write
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The repository with vectors of a user; `jobsN.yaml` encodes the corpus by N jobs."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("shared"))
    rng = np.random.default_rng(0)
    np.save(folder / "corpus.npy", rng.normal(size=(ROWS, DIM)))
    np.save(folder / "queries.npy", rng.normal(size=(ROWS, DIM)))
    lines = [f"{row}\t{row}\t1" for row in range(ROWS)]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
    files = {"corpus": "corpus.npy", "queries": "queries.npy", "qrels": "qrels.tsv"}
    for jobs in (1, 3):
        overlay = {
            "datasets": {"mine": {"kind": "arrays", **files}},
            "backbones": {"mine": {"kind": "precomputed", "dim": DIM}},
            "experiments": [{"dataset": "mine", "backbone": "mine", "sizes": [DIM, DIM // 2], "embed_jobs": jobs}],
            "store": {"shard_rows": SHARD_ROWS},
        }
        (folder / f"jobs{jobs}.yaml").write_text(yaml.safe_dump(overlay))
    return folder


def asked(jobs, *more):
    return ("embeddings", "--cores", CORES, "--configfile", f"jobs{jobs}.yaml", *more)


def test_one_job_is_one_job(folder):
    told = snakemake(folder, *asked(1, "--dry-run"))
    assert sorted(job["role"] for job in rules_of(told, "embed_without_model")) == ["corpus", "queries"]
    assert rules_of(told, "embed_part") == rules_of(told, "gather") == []


def test_a_job_that_dies_half_way_is_made_good_by_the_next_call(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(DYING)
    status, told = tool(folder, "snakemake", *asked(3), PYTHONPATH=str(tmp_path))
    assert status == 1 and "Error in rule embed_part" in told
    store = folder / STORE
    assert not (store / "manifest.json").exists() and (store / "part-1-of-3.json").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in store.glob("shard-*.npy")}
    assert sorted(kept) == [f"shard-0000{shard}.npy" for shard in range(8) if shard != DIES_AT]

    told = snakemake(folder, *asked(3))
    assert [job["part"] for job in rules_of(told, "embed_part")] == ["2"] and len(rules_of(told, "gather")) == 1
    assert all((store / name).stat().st_mtime_ns == written for name, written in kept.items())
    assert "Nothing to be done" in snakemake(folder, *asked(3, "--dry-run"))

    data = folder / "results/data/mine"
    embed(data, {"kind": "precomputed", "dim": DIM}, "corpus", tmp_path / "one", shard_rows=SHARD_ROWS)
    assert reading.count(data, "corpus") == ROWS
    assert {p.name: p.read_bytes() for p in store.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "one").iterdir()
    }
