"""The shared writing, reading and splitting of datasets, and their registry."""

import errno
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from smec import datasets
from smec.datasets import reading
from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table, write
from smec.datasets.sorted_rows import ROW_GROUP_ROWS, write_sorted
from smec.datasets.splits import complete_split, hashed_fraction, split_by_hash
from smec.errors import SmecError
from smec.files import sha256_of_file


class TinySettings(DatasetSettings):
    kind: str = "tiny"


def tiny(**changes):
    values = {
        "source": "tiny",
        "corpus": text_table(["d2", "d10", "d1"], ["two", "ten", "one"]),
        "queries": text_table(["q3", "q1", "q2", "q9"], ["drei", "eins", "zwei", "spare"]),
        "qrels": qrels_table(["q3", "q1", "q2", "q1"], ["d2", "d10", "d1", "d1"], [1, 2, 1, 0]),
        "split": {"q1": "train", "q2": "validation", "q3": "test"},
        "split_rule": "by hand",
    }
    return Dataset(**(values | changes))


def test_what_is_written_is_read_back_sorted_by_id(tmp_path):
    write(tiny(), TinySettings(exclude_self=True), tmp_path)
    assert reading.ids(tmp_path, "corpus") == ["d1", "d10", "d2"]
    assert reading.texts(tmp_path, "corpus") == ["one", "ten", "two"]
    assert reading.ids(tmp_path, "queries") == ["q1", "q2", "q3"]
    train = reading.judgements(tmp_path, "train")
    assert train.query_rows.tolist() == [0]
    assert train.corpus_rows.tolist() == [0, 1]
    assert train.relevance.tolist() == [0, 2]
    manifest = reading.manifest(tmp_path)
    assert manifest["exclude_self"] is True
    assert manifest["split_rule"] == "by hand"
    assert manifest["settings"]["kind"] == "tiny"
    assert manifest["counts"]["queries_without_judgements_dropped"] == 1
    assert manifest["counts"]["positive_judgements"] == 3
    for name, digest in manifest["sha256"].items():
        assert sha256_of_file(tmp_path / f"{name}.parquet") == digest


def test_order_of_the_source_does_not_matter(tmp_path):
    write(tiny(), TinySettings(), tmp_path / "a")
    turned = tiny(corpus=text_table(["d1", "d2", "d10"], ["one", "two", "ten"]))
    write(turned, TinySettings(), tmp_path / "b")
    assert reading.manifest(tmp_path / "a") == reading.manifest(tmp_path / "b")
    assert reading.fingerprint(tmp_path / "a", "corpus") == reading.fingerprint(tmp_path / "b", "corpus")
    assert reading.fingerprint(tmp_path / "a", "corpus") != reading.fingerprint(tmp_path / "a", "queries")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus": text_table(["d1", "d1", "d2", "d10"], list("abcd"))}, "'d1' 2 times"),
        ({"queries": text_table(["q1", "q2", "q3", "q1"], list("abcd"))}, "'q1' 2 times"),
        ({"qrels": qrels_table(["q1", "q2"], ["d1", "gone"], [1, 1])}, "document 'gone'"),
        ({"qrels": qrels_table(["lost", "q2"], ["d1", "d1"], [1, 1])}, "query 'lost'"),
        ({"qrels": qrels_table(["q1", "q1"], ["d1", "d1"], [1, 0])}, "'q1' and document 'd1' twice"),
        ({"split": {"q1": "train", "q2": "train", "q3": "test"}}, "split 'validation' of tiny is empty"),
        ({"corpus": text_table([], [])}, "no rows"),
    ],
)
def test_a_fault_is_named_and_nothing_is_written(tmp_path, changes, message):
    with pytest.raises(SmecError, match=message):
        write(tiny(**changes), TinySettings(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    write(tiny(), TinySettings(), tmp_path)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("smec.datasets.sorted_rows.pq.ParquetWriter.write_table", full)
    with pytest.raises(SmecError, match=r"disk is full.*corpus.parquet"):
        write(tiny(), TinySettings(), tmp_path)
    assert not (tmp_path / "manifest.json").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def in_chunks():
    """80,000 texts of 400 characters in chunks of odd sizes, ids in no order."""
    rows = np.random.default_rng(0).permutation(80_000)
    ids = [f"{row:05d}" for row in rows]
    bounds = itertools.pairwise([0, 1, 1, 7000, 55_004, 80_000])
    return pa.concat_tables(text_table(ids[a:b], [f"{i:>400}" for i in ids[a:b]]) for a, b in bounds)


def test_sorting_in_row_groups_gives_the_bytes_of_sorting_all_at_once(tmp_path, in_chunks):
    write_sorted(in_chunks, ["id"], tmp_path / "ours.parquet")
    whole = in_chunks.sort_by("id")
    pq.write_table(whole, tmp_path / "whole.parquet", row_group_size=ROW_GROUP_ROWS, compression="zstd")
    assert (tmp_path / "ours.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_sorting_makes_no_second_copy(tmp_path, in_chunks):
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        write_sorted(in_chunks, ["id"], tmp_path / "corpus.parquet")
    finally:
        pa.set_memory_pool(before)
    assert pool.max_memory() < in_chunks.nbytes / 2


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 5), (8190, 8195), (ROW_GROUP_ROWS, 20000), (19999, None)])
def test_a_range_of_rows_equals_the_slice_of_all(tmp_path, start, stop):
    ids = [f"{i:05d}" for i in range(20000)]
    pq.write_table(text_table(ids, ids), tmp_path / "corpus.parquet", row_group_size=ROW_GROUP_ROWS)
    assert reading.ids(tmp_path, "corpus", start, stop) == ids[start:stop]
    assert reading.count(tmp_path, "corpus") == 20000


def test_reading_faults(tmp_path):
    with pytest.raises(SmecError, match=r"manifest.json does not exist"):
        reading.manifest(tmp_path)
    with pytest.raises(SmecError, match=r"corpus.parquet does not exist"):
        reading.ids(tmp_path, "corpus")
    with pytest.raises(SmecError, match=r"role 'corpsu' is unknown. Did you mean 'corpus'"):
        reading.ids(tmp_path, "corpsu")
    with pytest.raises(SmecError, match="Did you mean 'validation'"):
        reading.judgements(tmp_path, "validatoin")
    (tmp_path / "corpus.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(SmecError, match="not a whole parquet file"):
        reading.ids(tmp_path, "corpus")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "queries.parquet")
    with pytest.raises(SmecError, match="no column 'text'"):
        reading.texts(tmp_path, "queries")


def test_hash_split_is_fixed_and_of_the_right_size():
    assert hashed_fraction("a") == pytest.approx(0xCA978112CA1BBDCA / 2**64)
    ids = [str(i) for i in range(5000)]
    split, rule = split_by_hash(ids, 0.1, 0.2)
    sizes = [list(split.values()).count(name) / 5000 for name in ("train", "validation", "test")]
    assert np.allclose(sizes, (0.7, 0.1, 0.2), atol=0.02)
    assert split_by_hash(reversed(ids), 0.1, 0.2)[0] == split
    assert "sha256" in rule


@pytest.mark.parametrize(
    ("published", "kept"),
    [
        (("train", "validation", "test"), {"train", "validation", "test"}),
        (("train", "test"), {"test"}),
        (("validation", "test"), {"test"}),
        (("train", "validation"), {"validation"}),
        (("test",), set()),
        (("train",), set()),
    ],
)
def test_published_splits_are_kept_and_completed(published, kept):
    given = {f"{name}{i}": name for name in published for i in range(200)}
    split, _ = complete_split(given, 0.1, 0.2)
    assert split.keys() == given.keys()
    assert set(split.values()) == {"train", "validation", "test"}
    for query, name in given.items():
        assert (split[query] == name) or name not in kept
    if published == ("train", "test"):
        taken = [q for q, name in split.items() if name == "validation"]
        assert taken
        assert all(q.startswith("train") and hashed_fraction(q) < 0.1 for q in taken)


def test_registry():
    assert {"arrays", "beir_folder", "image_folder", "products10k", "fashion200k", "pydocs"} <= datasets.SETTINGS.keys()
    with pytest.raises(SmecError, match=r"'pydoc' is unknown. Did you mean 'pydocs'"):
        datasets.parse({"kind": "pydoc"})
    with pytest.raises(SmecError, match=r"unknown key 'max_document'.*Did you mean 'max_documents'"):
        datasets.parse({"kind": "pydocs", "max_document": 5})
    with pytest.raises(SmecError, match="'tiny' is unknown"):
        datasets.prepare(TinySettings(), "unused")
    with pytest.raises(ValidationError, match="below 1"):
        TinySettings(validation_fraction=0.5, test_fraction=0.5)
    for model in datasets.SETTINGS.values():
        assert all(field.description for field in model.model_fields.values())
