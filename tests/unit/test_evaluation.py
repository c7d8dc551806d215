"""Evaluation: the tidy table, independence of the block size, and the policies on queries."""

import logging
import subprocess
import sys

import numpy as np
import pytest

from smec.errors import SmecError
from smec.evaluation import TILE_ROWS, CompressedCorpus, evaluate
from smec.judgements import Judgements
from smec.linear import LinearCompressor, normalized
from smec.sides import Sides
from tests.conftest import unit

WIDTH = 24


class Rows(np.ndarray):
    """An array with the reading interface of a store."""

    def gather(self, rows):
        return np.asarray(self[rows])


def stored(rows, seed):
    return unit(np.random.default_rng(seed).normal(size=(rows, WIDTH))).view(Rows)


def compressor(*sizes):
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    return LinearCompressor({s: rotation[:s] for s in sizes}, {s: np.zeros(s, np.float32) for s in sizes})


def both(*sizes):
    return Sides.shared(compressor(*sizes))


def setting(queries=12, documents=60):
    """Every query is a document with some noise, and is judged relevant to it."""
    corpus = stored(documents, 1)
    asked = unit(np.asarray(corpus[:queries]) + 0.05 * np.asarray(stored(queries, 2))).view(Rows)
    rows = np.arange(queries)
    return asked, corpus, Judgements.from_triples(rows, rows, np.ones(queries)), [f"q{i}" for i in rows]


def test_table_is_tidy():
    table = evaluate(both(24, 6), *setting(), [24, 6])
    assert [(f.name, str(f.type)) for f in table.schema] == [
        ("query_id", "string"),
        ("dim", "int32"),
        ("metric", "string"),
        ("value", "double"),
    ]
    assert table.num_rows == 12 * 2 * 3
    assert table["dim"].to_pylist() == [24] * 36 + [6] * 36
    assert table["metric"].to_pylist()[:36:12] == ["ndcg@10", "recall@100", "mrr@10"]
    assert table["query_id"].to_pylist()[:12] == [f"q{i}" for i in range(12)]
    assert table["value"].to_pylist()[:36] == [1.0] * 36


@pytest.mark.parametrize("block_rows", [1, 7, 59, 60, 61])
def test_result_does_not_depend_on_the_block_size(block_rows):
    model = both(24, 3)
    assert evaluate(model, *setting(), [24, 3], block_rows=block_rows).equals(evaluate(model, *setting(), [24, 3]))


@pytest.mark.parametrize("bounds", [(0, 0), (5, 5), (0, 1), (4095, 4097), (4096, 8192), (1, 9001), (9000, 99_999)])
def test_compressed_rows_do_not_depend_on_the_slice(bounds):
    corpus, model = stored(2 * TILE_ROWS + 809, 3), compressor(8)
    whole = CompressedCorpus(corpus, model, 8)[0 : len(corpus)]
    part = CompressedCorpus(corpus, model, 8)[bounds[0] : bounds[1]]
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, whole[bounds[0] : bounds[1]])
    np.testing.assert_allclose(whole, normalized(np.asarray(corpus) @ model.weights[8].T), atol=1e-6)


def test_compressed_corpus_is_lazy():
    seen = []

    class Watched(LinearCompressor):
        def transform(self, vectors, size):
            seen.append(len(vectors))
            return super().transform(vectors, size)

    view = CompressedCorpus(stored(3 * TILE_ROWS, 3), Watched(compressor(8).weights, compressor(8).biases), 8)
    assert (len(view), seen) == (3 * TILE_ROWS, [])
    for start in range(0, TILE_ROWS, 1000):
        view[start : start + 10]
    assert seen == [TILE_ROWS]


def test_only_judged_queries_are_scored():
    asked, corpus, _, names = setting()
    judgements = Judgements.from_triples(np.array([3, 8]), np.array([3, 8]), np.ones(2))
    table = evaluate(both(24), asked, corpus, judgements, names, [24])
    assert table["query_id"].to_pylist() == ["q3", "q8"] * 3


def test_queries_without_a_relevant_document_are_left_out_and_counted(caplog):
    asked, corpus, _, names = setting()
    judgements = Judgements.from_triples(np.array([3, 8]), np.array([3, 8]), np.array([1, 0]))
    with caplog.at_level(logging.INFO):
        table = evaluate(both(24), asked, corpus, judgements, names, [24])
    assert table["query_id"].to_pylist() == ["q3"] * 3
    assert "1 of 2 queries have no relevant document" in caplog.text


def test_self_retrieval_is_excluded_by_dataset_row():
    asked, corpus, _, names = setting()
    judgements = Judgements.from_triples(np.array([3, 8]), np.array([3, 8]), np.ones(2))
    excluded = np.full(12, -1)
    excluded[8] = 8
    table = evaluate(both(24), asked, corpus, judgements, names, [24], exclude_rows=excluded)
    assert table["value"].to_pylist()[:2] == [1.0, 0.0]


def test_faults_are_told():
    asked, corpus, judgements, names = setting()
    with pytest.raises(SmecError, match=r"not fitted for \[12\] dimensions"):
        evaluate(both(24), asked, corpus, judgements, names, [24, 12])
    with pytest.raises(SmecError, match="lists 11 queries and their embedding store has 12"):
        evaluate(both(24), asked, corpus, judgements, names[1:], [24])
    with pytest.raises(SmecError, match="document row 11 and the corpus store has 11"):
        evaluate(both(24), asked, corpus[:11], judgements, names, [24])
    none = Judgements.from_triples(np.array([1]), np.array([1]), np.array([0]))
    with pytest.raises(SmecError, match="None of the 1 queries to evaluate"):
        evaluate(both(24), asked, corpus, none, names, [24])


def test_evaluation_imports_nothing_heavy():
    code = "import sys, smec.evaluation; print({'torch', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
