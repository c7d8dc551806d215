"""Sets of BEIR by name: from a server on this machine, from a mirror, as published; scores equal BEIR's own."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from smec import datasets, download
from smec.datasets import reading
from smec.datasets.beir_sets import FORUMS, SETS, THIRTEEN
from smec.datasets.splits import hashed_fraction
from smec.errors import SmecError
from smec.self_retrieval import excluded_rows
from tests.conftest import unit
from tests.file_server import Files, serving

SCIFACT = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scifact"
needs_scifact = pytest.mark.skipif(not SCIFACT.exists(), reason=f"the real SciFact is not at {SCIFACT}")


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def tsv(rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in [("query-id", "corpus-id", "score"), *rows])


def files(judged, documents=60, queries=60):
    """The files of a set; `judged` gives for each file of judgements the numbers of its queries."""
    found = {
        "corpus.jsonl": jsonl(
            {"_id": f"d{i}", "title": f"T{i}", "text": f" text {i} ", "metadata": {"a": [i]}} for i in range(documents)
        ),
        "queries.jsonl": jsonl({"_id": f"q{i}", "text": f"question {i}", "metadata": {}} for i in range(queries)),
    }
    for name, rows in judged.items():
        found[f"qrels/{name}.tsv"] = tsv([(f"q{i}", f"d{i}", 1) for i in rows])
    return found


def archive(name, content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for path, text in content.items():
            target.writestr(f"{name}/{path}", text)
    return stream.getvalue()


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Prepare a set whose archive lies in the mirror `tmp_path/mirror`."""
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.001)

    def prepared(name, content, **settings):
        body = archive(name, content)
        (tmp_path / "mirror").mkdir(exist_ok=True)
        (tmp_path / "mirror" / f"{name}.zip").write_bytes(body)
        values = {"kind": "beir", "name": name, "data_root": str(tmp_path / "mirror")}
        values |= {"md5": hashlib.md5(body).hexdigest(), "url_base": "http://127.0.0.1:1"}
        datasets.prepare(values | settings, tmp_path / "out")
        return tmp_path / "out"

    return prepared


def members(out, split):
    ids = reading.ids(out, "queries")
    return {ids[row] for row in reading.judgements(out, split).query_rows}


def numbered(numbers):
    return {f"q{i}" for i in numbers}


def test_downloaded_verified_and_never_fetched_again(tmp_path, capfd):
    body = archive("scifact", files({"train": range(40), "test": range(40, 60)}))
    values = {"kind": "beir", "name": "scifact", "data_root": str(tmp_path / "root")}
    with serving(Files({"/sets/scifact.zip": body})) as server:
        values |= {"url_base": f"{server.url}/sets/", "md5": hashlib.md5(body).hexdigest()}
        server.cuts = [len(body) // 2]
        datasets.prepare(values, tmp_path / "out")
        assert len(server.requested) == 2
        datasets.prepare(values, tmp_path / "out")
        assert len(server.requested) == 2
    told = reading.manifest(tmp_path / "out")["beir"]
    assert (told["name"], told["md5"]) == ("scifact", values["md5"])
    assert told["source"].endswith("/sets/scifact.zip")
    assert reading.texts(tmp_path / "out", "corpus")[0] == "T0  text 0"
    assert reading.texts(tmp_path / "out", "queries")[0] == "question 0"
    assert capfd.readouterr() == ("", "")


def test_the_published_checksum_is_what_counts(tmp_path):
    with serving(Files({"/scifact.zip": archive("scifact", files({"test": range(60)}))})) as server:
        values = {"kind": "beir", "name": "scifact", "data_root": str(tmp_path), "url_base": server.url}
        with pytest.raises(SmecError, match=f"is not the file that was meant.*wanted {SETS['scifact'].md5}"):
            datasets.prepare(values, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "scifact.zip").exists()


def test_a_mirror_is_verified_too(prepare):
    with pytest.raises(SmecError, match=r"scifact.zip is not the file that was meant: its md5 is"):
        prepare("scifact", files({"test": range(60)}), md5="0" * 32)


def test_an_unpacked_mirror_is_read_as_it_is(tmp_path):
    for path, text in files({"test": range(60)}).items():
        (tmp_path / "nq" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nq" / path).write_text(text)
    settings = datasets.parse({"kind": "beir", "name": "nq", "data_root": str(tmp_path)})
    datasets.prepare(settings, tmp_path / "out")
    assert settings.sources() == (tmp_path / "nq",)
    assert reading.manifest(tmp_path / "out")["beir"]["md5"] is None
    assert reading.count(tmp_path / "out", "corpus") == 60


def test_train_dev_and_test_as_published(prepare):
    out = prepare("fiqa", files({"train": range(30), "dev": range(30, 40), "test": range(40, 60)}))
    assert [members(out, name) for name in ("train", "validation", "test")] == [
        numbered(range(30)),
        numbered(range(30, 40)),
        numbered(range(40, 60)),
    ]
    assert reading.manifest(out)["split_rule"] == "train, validation and test as published"


def test_without_training_judgements_the_hash_splits(prepare):
    out = prepare("scidocs", files({"test": range(60)}), test_fraction=0.3)
    assert members(out, "test") == {f"q{i}" for i in range(60) if hashed_fraction(f"q{i}") < 0.3}
    assert "sha256(query id)" in reading.manifest(out)["split_rule"]


def test_dev_queries_train_where_there_are_no_others(prepare):
    out = prepare("quora", files({"dev": range(40), "test": range(40, 60)}))
    assert members(out, "test") == numbered(range(40, 60))
    assert members(out, "train") | members(out, "validation") == numbered(range(40))


def test_ms_marco_is_scored_on_dev(prepare):
    out = prepare("msmarco", files({"train": range(40), "dev": range(40, 55), "test": range(55, 60)}))
    assert members(out, "test") == numbered(range(40, 55))
    assert members(out, "train") | members(out, "validation") == numbered(range(40))
    assert reading.manifest(out)["counts"]["queries_without_judgements_dropped"] == 5


def test_cqadupstack_is_twelve_datasets_of_one_group(prepare, tmp_path):
    forums = {"android": range(60), "tex": range(50)}
    content = {f"{f}/{path}": text for f, rows in forums.items() for path, text in files({"test": rows}).items()}
    out = prepare("cqadupstack", content, subset="tex")
    assert reading.manifest(out)["counts"]["judgements"] == 50
    assert reading.manifest(out)["beir"]["subset"] == "tex"
    one = datasets.parse({"kind": "beir", "name": "cqadupstack", "subset": "tex"})
    assert (one.group, len(FORUMS)) == ("cqadupstack", 12)
    assert datasets.parse({"kind": "beir", "name": "nq"}).group is None


def test_identical_ids_are_excluded_as_in_beir(prepare):
    content = files({"test": range(60)})
    assert reading.manifest(prepare("arguana", content))["exclude_self"] is True
    assert reading.manifest(prepare("arguana", content, exclude_self=False))["exclude_self"] is False


def test_quirks_of_published_data_are_counted_and_not_refused(prepare):
    content = files({"train": range(30), "dev": range(30, 40), "test": range(40, 60)})
    content["corpus.jsonl"] += jsonl([{"_id": "empty", "title": "", "text": " "}, {"_id": "bare", "text": "untitled"}])
    content["qrels/train.tsv"] += "q0\td1\t0\nq0\td1\t2\nq1\tnowhere\t1\nq41\td3\t1\nnobody\td3\t1\nq2\td9\t-1\n"
    out = prepare("hotpotqa", content)
    told = reading.manifest(out)
    assert told["beir"]["documents_without_text"] == 1
    assert told["beir"]["judgements_of_unknown_ids_dropped"] == 2
    assert told["beir"]["judgements_of_queries_of_another_split_dropped"] == 1
    ids = reading.ids(out, "corpus")
    assert [reading.texts(out, "corpus")[ids.index(name)] for name in ("empty", "bare")] == ["", "untitled"]
    train = reading.judgements(out, "train")
    queries = reading.ids(out, "queries")
    row = train.query_rows.tolist().index(queries.index("q0"))
    grades = slice(*train.offsets[row : row + 2])
    found = dict(zip(train.corpus_rows[grades].tolist(), train.relevance[grades].tolist(), strict=True))
    assert found == {ids.index("d0"): 1, ids.index("d1"): 2}
    assert "q41" in members(out, "test")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("corpus.jsonl", None, r"corpus.jsonl does not exist"),
        ("corpus.jsonl", '{"_id": "d1", "te\n', r"corpus.jsonl is not in BEIR's layout"),
        ("corpus.jsonl", '{"text": "no id"}\n', r"corpus.jsonl has 1 lines without `_id`"),
        ("corpus.jsonl", "", r"corpus.jsonl is not in BEIR's layout"),
        ("queries.jsonl", '{"_id": 7, "text": "a"}\n', r"queries.jsonl is not in BEIR's layout"),
        ("qrels/test.tsv", None, r"lacks qrels/test.tsv, the judgements that BEIR scores"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\thigh\n", r"test.tsv is not a file of judgements"),
        ("qrels/test.tsv", "query-id\tcorpus-id\nq1\td1\n", r"test.tsv is not a file of judgements"),
    ],
)
def test_faults_of_files(prepare, tmp_path, path, text, message):
    content = files({"test": range(60)})
    content.pop(path)
    with pytest.raises(SmecError, match=message):
        prepare("nq", content if text is None else content | {path: text})
    assert not (tmp_path / "out").exists()


def test_faults_of_archives(prepare, tmp_path):
    with pytest.raises(SmecError, match=r"fiqa.zip holds no folder 'fiqa'"):
        prepare("fiqa", {}, md5=hashlib.md5(archive("fiqa", {})).hexdigest())
    (tmp_path / "mirror" / "nq.zip").write_bytes(b"no archive")
    values = {"kind": "beir", "name": "nq", "data_root": str(tmp_path / "mirror")}
    with pytest.raises(SmecError, match=r"nq.zip is not a whole archive"):
        datasets.prepare(values | {"md5": hashlib.md5(b"no archive").hexdigest()}, tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "scifacts"}, r"BEIR has no public set 'scifacts'. Did you mean 'scifact'\?"),
        ({"name": "cqadupstack"}, r"12 sub-forums, each a dataset of its own; give one as `subset`: android"),
        ({"name": "cqadupstack", "subset": "androids"}, r"no sub-forum 'androids'. Did you mean 'android'\?"),
        ({"name": "nq", "subset": "android"}, r"nq has no parts; remove `subset`"),
        ({"name": "nq", "md5": "abc"}, r"md5: "),
    ],
)
def test_wrong_names_are_told_at_once(values, message):
    with pytest.raises(SmecError, match=message):
        datasets.parse({"kind": "beir", **values})


def test_what_is_missing_is_known_without_a_network(tmp_path):
    values = {"kind": "beir", "name": "nq", "data_root": str(tmp_path)}
    assert datasets.parse(values).missing() is None, "it can be downloaded"
    offline = datasets.parse(values | {"download": False})
    assert f"{tmp_path / 'nq.zip'} does not exist" in offline.missing()
    with pytest.raises(SmecError, match="`download: false` forbids"):
        datasets.prepare(offline, tmp_path / "out")
    (tmp_path / "nq.zip").write_bytes(b"")
    assert offline.missing() is None


def test_no_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.001)
    values = {"kind": "beir", "name": "nq", "data_root": str(tmp_path), "url_base": "http://127.0.0.1:1"}
    with pytest.raises(SmecError, match=r"http://127.0.0.1:1/nq.zip could not be downloaded.*data_root"):
        datasets.prepare(values, tmp_path / "out")


def test_the_table_of_sets():
    assert len(SETS) == 15 and len(THIRTEEN) == 13
    assert len({found.md5 for found in SETS.values()}) == 15
    assert all(len(found.md5) == 32 for found in SETS.values())


def test_the_configuration_loads_no_library_for_it():
    heavy = "('requests', 'filelock', 'tenacity', 'beir', 'torch')"
    code = f"import sys, smec.datasets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def scifact(tmp_path_factory):
    root = tmp_path_factory.mktemp("scifact")
    (root / "mirror").mkdir()
    (root / "mirror" / "scifact").symlink_to(SCIFACT)
    datasets.prepare({"kind": "beir", "name": "scifact", "data_root": str(root / "mirror")}, root / "out")
    return root / "out"


@needs_scifact
def test_texts_and_judgements_equal_those_of_beirs_loader(scifact, tmp_path):
    strict = tmp_path / "strict"
    datasets.prepare({"kind": "beir_folder", "path": SCIFACT}, strict)
    for name in ("corpus", "queries", "qrels", "split"):
        assert (scifact / f"{name}.parquet").read_bytes() == (strict / f"{name}.parquet").read_bytes()
    shutil.rmtree(strict)


class Rows(np.ndarray):
    """An array with the reading interface of a store."""

    def gather(self, rows):
        return np.asarray(self[rows])


@needs_scifact
@pytest.mark.parametrize("self_retrieval", [False, True])
def test_scores_equal_those_of_beir(scifact, self_retrieval, monkeypatch):
    """On vectors of character n-grams, so that no model is needed. BEIR's rounding to five digits is left out."""
    from beir.retrieval import evaluation
    from beir.retrieval.evaluation import EvaluateRetrieval
    from sklearn.feature_extraction.text import HashingVectorizer

    from smec.evaluation import evaluate
    from smec.linear import LinearCompressor
    from smec.sides import Sides

    width = 256
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(4, 4), n_features=width, dtype=np.float32)
    corpus, queries = (hashing.transform(reading.texts(scifact, role)).toarray() for role in ("corpus", "queries"))
    judged = reading.judgements(scifact, "test")
    query_ids, corpus_ids = (reading.ids(scifact, role) for role in ("queries", "corpus"))
    excluded = excluded_rows(scifact)
    assert excluded.tolist() == [-1] * len(queries), "no id of SciFact is that of a query and of a document"
    if self_retrieval:  # as in Quora: query i is document i, too
        excluded = np.arange(len(queries))
        query_ids = corpus_ids[: len(queries)]
        queries = unit(queries + 0.7 * corpus[: len(queries)])
    whole = LinearCompressor({width: np.eye(width, dtype=np.float32)}, {width: np.zeros(width, np.float32)})
    found = evaluate(Sides.shared(whole), queries.view(Rows), corpus.view(Rows), judged, query_ids, [width], excluded)
    table = found.to_pandas()
    ours = table.groupby("metric")["value"].mean()

    scores = queries[judged.query_rows] @ corpus.T
    qrels, results = {}, {}
    for place, row in enumerate(judged.query_rows.tolist()):
        bounds = slice(*judged.offsets[place : place + 2])
        grades = zip(judged.corpus_rows[bounds].tolist(), judged.relevance[bounds].astype(int).tolist(), strict=True)
        qrels[query_ids[row]] = {corpus_ids[document]: grade for document, grade in grades}
        best = np.argpartition(-scores[place], 200)[:200]
        results[query_ids[row]] = {corpus_ids[document]: float(scores[place][document]) for document in best}
    monkeypatch.setattr(evaluation, "round", lambda value, digits: value, raising=False)
    ndcg, _, recall, _ = EvaluateRetrieval.evaluate(qrels, results, [10, 100])
    assert ndcg["NDCG@10"] > 0.05
    assert abs(ours["ndcg@10"] - ndcg["NDCG@10"]) < 1e-6
    assert abs(ours["recall@100"] - recall["Recall@100"]) < 1e-6
