"""Vectors that a user brings along, and the backbone that reads them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smec import datasets
from smec.backbones.precomputed import PrecomputedSettings
from smec.datasets import reading, vector_files
from smec.embedding import embed, expected_key
from smec.errors import SmecError
from smec.store import EmbeddingStore

ROWS, DIM = 40, 6
IDS = [f"doc-{(i * 7) % ROWS}" for i in range(ROWS)]
GROCERY = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "grocery" / "vectors"


def save(path, vectors, ids=None):
    if path.suffix == ".npy":
        np.save(path, vectors)
    else:
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        pq.write_table(pa.table({"id": ids, "vector": lists}), path, row_group_size=7)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    corpus = rng.normal(size=(ROWS, DIM)).astype(np.float32)
    save(tmp_path / "corpus.npy", corpus)
    save(tmp_path / "queries.npy", corpus + np.float32(0.1))
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n")
    rows = "".join(f"{i}\t{IDS[i]}\t1\n" for i in range(ROWS))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return tmp_path


def settings(files, **changes):
    given = {
        "kind": "arrays",
        "corpus": files / "corpus.npy",
        "queries": files / "queries.npy",
        "qrels": files / "qrels.tsv",
        "corpus_ids": files / "ids.txt",
        "validation_fraction": 0.2,
    }
    return given | changes


def prepared(files, **changes):
    datasets.prepare(settings(files, **changes), files / "out")
    return files / "out"


def embedded(out, role="corpus", dim=DIM):
    backbone = {"kind": "precomputed", "dim": dim}
    embed(out, backbone, role, out / role, shard_rows=16)
    return EmbeddingStore.open(out / role)


def test_npy_with_ids_becomes_a_store_in_the_order_of_the_ids(files, monkeypatch):
    monkeypatch.setattr(vector_files, "BLOCK_BYTES", 100)
    out = prepared(files)
    store = embedded(out)
    source = np.load(files / "corpus.npy")
    assert reading.ids(out, "corpus") == sorted(IDS)
    expected = source[np.argsort(IDS)]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(store[:], expected, rtol=1e-6)
    assert reading.ids(out, "queries") == sorted(str(i) for i in range(ROWS))
    entry = reading.manifest(out)["vectors"]["corpus"]
    assert (entry["dtype"], entry["rows"], entry["dim"]) == ("float32", ROWS, DIM)
    relevant = reading.judgements(out, "train")
    queries = embedded(out, "queries")
    similarity = queries.gather(relevant.query_rows) @ store[:].T
    assert np.argmax(similarity, axis=1).tolist() == relevant.corpus_rows.tolist()


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_parquet_equals_npy(files, dtype, variable):
    source = (np.load(files / "corpus.npy") * 20).round().astype(dtype)
    np.save(files / "corpus.npy", source)
    ids = pa.array(IDS)
    if variable:
        lists = pa.ListArray.from_arrays(np.arange(0, ROWS * DIM + 1, DIM, dtype=np.int32), pa.array(source.ravel()))
        pq.write_table(pa.table({"id": ids, "vector": lists}), files / "corpus.parquet", row_group_size=7)
    else:
        save(files / "corpus.parquet", source, ids)
    from_npy = embedded(prepared(files))[:]
    out = files / "other"
    datasets.prepare(settings(files, corpus=files / "corpus.parquet", corpus_ids=None), out)
    assert reading.manifest(out)["vectors"]["corpus"]["dtype"] == dtype
    assert reading.manifest(out)["vectors"]["corpus"]["path"] == "corpus-vectors.npy"
    np.testing.assert_array_equal(embedded(out)[:], from_npy)


def test_parquet_qrels_with_integer_ids_and_splits(files):
    pq.write_table(
        pa.table(
            {
                "query_id": list(range(6)),
                "corpus_id": IDS[:6],
                "relevance": [1, 2, 3, 1, 0, 1],
                "split": ["train", "train", "dev", "dev", "test", "test"],
            }
        ),
        files / "qrels.parquet",
    )
    out = prepared(files, qrels=files / "qrels.parquet")
    counts = reading.manifest(out)["counts"]
    assert counts["queries"] == {"train": 2, "validation": 2, "test": 2}
    assert counts["queries_without_judgements_dropped"] == ROWS - 6
    assert reading.judgements(out, "train").relevance.tolist() == [1.0, 2.0]


def with_value(value, row=17):
    def damage(files):
        vectors = np.load(files / "corpus.npy")
        vectors[row] = value
        np.save(files / "corpus.npy", vectors)

    return damage


def replaced(name, content):
    def damage(files):
        if isinstance(content, np.ndarray):
            np.save(files / name, content, allow_pickle=True)
        else:
            (files / name).write_text(content)

    return damage


HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (with_value(np.nan), f"'{IDS[17]}' for .*corpus.npy has a NaN"),
        (with_value(np.inf), f"'{IDS[17]}' for .*corpus.npy has a NaN or infinite"),
        (with_value(0), f"'{IDS[17]}' for .*corpus.npy is all zeros"),
        (replaced("queries.npy", np.ones((ROWS, 3))), "have 6 dimensions, those of .*queries.npy have 3"),
        (replaced("queries.npy", np.ones(ROWS)), r"queries.npy holds float64 of shape \(40,\)"),
        (replaced("queries.npy", np.array([["a"]], dtype=object)), "queries.npy is not a readable npy file"),
        (replaced("queries.npy", np.ones((ROWS, DIM), dtype=complex)), "complex128"),
        (replaced("queries.npy", "not numpy"), "queries.npy is not a readable npy file"),
        (replaced("ids.txt", "a\nb\n"), "ids.txt holds 2 ids, but .*corpus.npy has 40 rows"),
        (replaced("ids.txt", "\n".join(["same"] * ROWS)), "'same' 40 times"),
        (replaced("ids.txt", "\n" + "\n".join(IDS[1:])), "row 0 of .*ids.txt is missing or empty"),
        (replaced("qrels.tsv", HEADER + "0\tdoc-99\t1\n"), "document 'doc-99'"),
        (replaced("qrels.tsv", HEADER + "99\tdoc-1\t1\n"), "query '99'"),
        (replaced("qrels.tsv", HEADER + "1\tdoc-1\tgood\n"), "not a whole number"),
        (replaced("qrels.tsv", HEADER), "holds no judgements"),
        (replaced("qrels.tsv", "a\tb\n1\t2\n"), "lacks the columns"),
        (replaced("qrels.tsv", HEADER + "1\tdoc-1\t1\n"), "split 'train' .* is empty|split 'validation' .* is empty"),
        (replaced("qrels.tsv", HEADER[:-1] + "\tsplit\n1\tdoc-1\t1\tevaluation\n"), "unknown split 'evaluation'"),
        (
            replaced("qrels.tsv", HEADER[:-1] + "\tsplit\n1\tdoc-1\t1\ttest\n1\tdoc-2\t1\ttrain\n"),
            "query '1' in two splits",
        ),
    ],
)
def test_faults(files, damage, message):
    damage(files)
    with pytest.raises(SmecError, match=message):
        prepared(files)
    assert not (files / "out" / "manifest.json").exists()


@pytest.mark.parametrize("name", ["corpus", "queries", "qrels", "corpus_ids", "query_ids"])
def test_missing_files(files, name):
    with pytest.raises(SmecError, match=r"nowhere.* does not exist"):
        prepared(files, **{name: files / ("nowhere.tsv" if name == "qrels" else "nowhere.npy")})


def test_parquet_faults(files):
    path = files / "bad.parquet"
    cases = [
        (pa.table({"id": ["a", "b"], "vector": [[1.0, 2.0], [1.0]]}), "Row 1 .*vector of 1 numbers"),
        (pa.table({"id": ["a", "b"], "vector": [[1.0, 2.0], None]}), "Row 1 .*vector of 0 numbers"),
        (pa.table({"id": ["a", "b"], "vector": [[1.0, 2.0], [1.0, None]]}), "Row 1 .*null"),
        (pa.table({"id": ["a"], "vector": ["text"]}), "must hold lists"),
        (pa.table({"id": ["a"], "vector": [["text"]]}), "not of numbers"),
        (pa.table({"id": ["a"], "values": [[1.0]]}), "no column 'vector'"),
        (pa.table({"name": ["a"], "vector": [[1.0]]}), "no column 'id'"),
        (pa.table({"id": ["a", None], "vector": [[1.0], [1.0]]}), "row 1 .*missing or empty"),
        (pa.table({"id": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))}), "no rows"),
    ]
    for table, message in cases:
        pq.write_table(table, path)
        with pytest.raises(SmecError, match=message):
            prepared(files, corpus=path, corpus_ids=None)
        assert not list((files / "out").glob("*"))
    path.write_bytes(b"PAR1")
    with pytest.raises(SmecError, match="not a whole parquet file"):
        prepared(files, corpus=path, corpus_ids=None)


def test_precomputed_refuses_what_it_cannot_read(files):
    out = prepared(files)
    with pytest.raises(SmecError, match="gives vectors of 6 dimensions, but the backbone says 9"):
        embedded(out, dim=9)
    save(files / "corpus.npy", np.ones((ROWS, DIM)))
    with pytest.raises(SmecError, match="has changed since"):
        embedded(out)
    (files / "corpus.npy").unlink()
    with pytest.raises(SmecError, match="is gone"):
        embedded(out)
    with pytest.raises(SmecError, match="no column 'text'"):
        reading.texts(out, "corpus")


def test_a_store_knows_the_vectors_it_came_from(files):
    out = prepared(files)
    before = expected_key(out, PrecomputedSettings(dim=DIM), "corpus")
    np.save(files / "corpus.npy", np.load(files / "corpus.npy") + 1)
    out = prepared(files)
    assert expected_key(out, PrecomputedSettings(dim=DIM), "corpus") != before


@pytest.mark.skipif(not GROCERY.exists(), reason=f"the real image vectors are not at {GROCERY}")
def test_real_image_vectors(tmp_path):
    vectors = np.load(GROCERY / "mnv2_imagenet.npy", mmap_mode="r")
    rows = "".join(f"{i}\t{i}\t1\n" for i in range(300))
    (tmp_path / "qrels.tsv").write_text(HEADER + rows)
    datasets.prepare(
        {
            "kind": "arrays",
            "corpus": GROCERY / "mnv2_imagenet.npy",
            "queries": GROCERY / "mnv2_imagenet.npy",
            "qrels": tmp_path / "qrels.tsv",
        },
        tmp_path / "out",
    )
    assert reading.manifest(tmp_path / "out")["vectors"]["corpus"]["dtype"] == "float16"
    assert reading.count(tmp_path / "out", "corpus") == len(vectors)
