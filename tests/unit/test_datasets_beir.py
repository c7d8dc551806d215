"""Folders in BEIR's layout, whole and faulty."""

import json
from pathlib import Path

import pytest

from smec import datasets
from smec.datasets import reading
from smec.datasets.splits import hashed_fraction
from smec.errors import SmecError

SCIFACT = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scifact"


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def tsv(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in [("query-id", "corpus-id", "score"), *rows]))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "beir"
    path.mkdir()
    jsonl(path / "corpus.jsonl", [{"_id": f"d{i}", "title": f"T{i}", "text": f"text {i}"} for i in range(60)])
    jsonl(path / "queries.jsonl", [{"_id": f"q{i}", "text": f"question {i}"} for i in range(60)])
    tsv(path / "qrels" / "train.tsv", [(f"q{i}", f"d{i}", 1) for i in range(40)])
    tsv(path / "qrels" / "test.tsv", [(f"q{i}", f"d{i}", 2) for i in range(40, 50)])
    return path


def prepared(folder, **settings):
    out = folder.parent / "out"
    datasets.prepare({"kind": "beir_folder", "path": folder, **settings}, out)
    return out


def members(out, split):
    ids = reading.ids(out, "queries")
    return {ids[row] for row in reading.judgements(out, split).query_rows}


def test_train_and_test_as_published_validation_from_train(folder, capfd):
    out = prepared(folder)
    assert members(out, "test") == {f"q{i}" for i in range(40, 50)}
    assert members(out, "validation") == {f"q{i}" for i in range(40) if hashed_fraction(f"q{i}") < 0.1}
    assert reading.texts(out, "corpus")[0] == "T0 text 0"
    assert reading.judgements(out, "test").relevance.tolist() == [2.0] * 10
    manifest = reading.manifest(out)
    assert manifest["counts"]["queries_without_judgements_dropped"] == 0
    assert manifest["exclude_self"] is False
    assert manifest["qrels_files"] == ["qrels/train.tsv", "qrels/test.tsv"]
    assert capfd.readouterr() == ("", "")


def test_dev_is_validation(folder):
    tsv(folder / "qrels" / "dev.tsv", [(f"q{i}", f"d{i}", 1) for i in range(50, 60)])
    out = prepared(folder)
    assert members(out, "validation") == {f"q{i}" for i in range(50, 60)}
    assert members(out, "train") == {f"q{i}" for i in range(40)}


def test_test_alone_is_split_by_hash(folder):
    (folder / "qrels" / "train.tsv").unlink()
    tsv(folder / "qrels" / "test.tsv", [(f"q{i}", f"d{i}", 1) for i in range(60)])
    out = prepared(folder, validation_fraction=0.2)
    assert members(out, "test") == {f"q{i}" for i in range(60) if hashed_fraction(f"q{i}") < 0.2}
    assert members(out, "validation") == {f"q{i}" for i in range(60) if 0.2 <= hashed_fraction(f"q{i}") < 0.4}


def break_unknown_document(path):
    tsv(path / "qrels" / "test.tsv", [("q40", "d999", 1)])


def break_unknown_query(path):
    tsv(path / "qrels" / "test.tsv", [("q40", "d1", 1), ("q999", "d1", 1)])


def break_grade(path):
    tsv(path / "qrels" / "test.tsv", [("q40", "d1", "high")])


def break_repeated_pair(path):
    tsv(path / "qrels" / "test.tsv", [("q40", "d1", 1), ("q40", "d1", 0)])


def break_header(path):
    (path / "qrels" / "test.tsv").write_text("q40\td1\t1\n")


def break_empty_split(path):
    tsv(path / "qrels" / "test.tsv", [])


def break_two_splits(path):
    tsv(path / "qrels" / "test.tsv", [("q3", "d1", 1)])


def break_corpus_id(path):
    jsonl(path / "corpus.jsonl", [{"_id": "d1", "title": "", "text": "a"}, {"_id": "d1", "title": "", "text": "b"}])


def break_query_id(path):
    jsonl(path / "queries.jsonl", [{"_id": "q1", "text": "a"}, {"_id": "q1", "text": "b"}])


def break_json(path):
    (path / "corpus.jsonl").write_text('{"_id": "d1", "text": "a"}\n{"_id": "d2", "te\n')


def break_id_type(path):
    jsonl(path / "corpus.jsonl", [{"_id": 1, "text": "a"}])


def break_text(path):
    jsonl(path / "corpus.jsonl", [{"_id": "d1", "title": "", "text": " "}])


def break_corpus_file(path):
    (path / "corpus.jsonl").unlink()


def break_corpus_content(path):
    (path / "corpus.jsonl").write_text("")


def break_qrels_files(path):
    (path / "qrels" / "train.tsv").unlink()
    (path / "qrels" / "test.tsv").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_unknown_document, r"test.tsv, line 2: .*document 'd999'"),
        (break_unknown_query, r"test.tsv, line 3: .*query 'q999'"),
        (break_grade, r"test.tsv, line 2: expected .* whole number"),
        (break_repeated_pair, r"test.tsv, line 3: query 'q40' and document 'd1' are judged a second time"),
        (break_header, r"test.tsv begins with a judgement"),
        (break_empty_split, r"test.tsv holds no judgements: the split is empty"),
        (break_two_splits, r"query 'q3' is judged in .*test.tsv and"),
        (break_corpus_id, r"corpus.jsonl, line 2: the document id 'd1' occurs a second time"),
        (break_query_id, r"queries.jsonl, line 2: the query id 'q1' occurs a second time"),
        (break_json, r"corpus.jsonl, line 2: not valid JSON"),
        (break_id_type, r"corpus.jsonl, line 1: the document has no `_id` that is a text"),
        (break_text, r"corpus.jsonl, line 1: the document 'd1' has no text"),
        (break_corpus_file, r"corpus.jsonl does not exist"),
        (break_corpus_content, r"corpus.jsonl is empty"),
        (break_qrels_files, r"none of train.tsv, dev.tsv and test.tsv"),
    ],
)
def test_faults(folder, damage, message):
    damage(folder)
    with pytest.raises(SmecError, match=message):
        prepared(folder)
    assert not (folder.parent / "out").exists()


def test_missing_folder(tmp_path):
    with pytest.raises(SmecError, match="nowhere does not exist"):
        prepared(tmp_path / "nowhere")


@pytest.mark.skipif(not SCIFACT.exists(), reason=f"the real SciFact is not at {SCIFACT}")
def test_scifact(tmp_path):
    datasets.prepare({"kind": "beir_folder", "path": SCIFACT}, tmp_path)
    counts = reading.manifest(tmp_path)["counts"]
    assert counts["corpus"] == 5183
    assert counts["judgements"] == 919 + 339
    assert counts["queries"]["test"] == 300
    assert counts["queries"]["train"] + counts["queries"]["validation"] == 809
    assert 60 < counts["queries"]["validation"] < 110
    assert len(reading.judgements(tmp_path, "test").corpus_rows) == 339
