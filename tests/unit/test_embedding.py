"""Embedding a dataset: resumes at the shard, never encodes a row twice, is told by its key."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from smec import backbones, embedding
from smec.backbones.base import unit_rows
from smec.backbones.precomputed import PrecomputedSettings
from smec.backbones.sentence_transformer import SentenceTransformerSettings
from smec.datasets import reading
from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table, write
from smec.embedding import embed, embed_part, expected_key
from smec.errors import SmecError
from smec.store import EmbeddingStore
from smec.store_parts import gather

ROWS, DIM = 30, 4
SETTINGS = SentenceTransformerSettings(dim=DIM)


class TinySettings(DatasetSettings):
    kind: str = "tiny"


def prepare(folder, word="text"):
    ids = [f"{i:02d}" for i in range(ROWS)]
    texts = text_table(ids, [f"{word} {i}" for i in ids])
    split = dict.fromkeys(ids, "train") | {"01": "validation", "02": "test"}
    write(Dataset("tiny", texts, texts, qrels_table(ids, ids, [1] * ROWS), split, "by hand"), TinySettings(), folder)


def vector_of(text):
    return np.random.default_rng(int(text[-2:])).normal(size=DIM)


@dataclass
class FakeBackbone:
    """Counts what it encodes and can be interrupted after a number of calls."""

    stop_after: int = 10**9
    precision: str = "float32"
    details: dict = field(default_factory=dict)
    encoded: list = field(default_factory=list)

    @property
    def identity(self):
        return {"precision": self.precision}

    def rows(self, folder, role):
        backbone = self

        class Rows:
            dim = DIM

            def __call__(self, start, stop):
                if backbone.stop_after == 0:
                    raise KeyboardInterrupt
                backbone.stop_after -= 1
                texts = reading.texts(folder, role, start, stop)
                backbone.encoded.extend(texts)
                return unit_rows(np.stack([vector_of(text) for text in texts]))

        return Rows()


@pytest.fixture
def data(tmp_path):
    prepare(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def backbone(monkeypatch):
    def use(**values):
        fake = FakeBackbone(**values)
        monkeypatch.setattr(embedding.backbones, "load", lambda _settings: fake)
        return fake

    return use


def test_rows_are_in_the_order_of_the_parquet(data, backbone, tmp_path):
    backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "store", shard_rows=7)
    store = EmbeddingStore.open(tmp_path / "store", expected_key(data, SETTINGS, "corpus"))
    expected = np.stack([vector_of(text) for text in reading.texts(data, "corpus")])
    np.testing.assert_allclose(store[:], expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)


def test_an_interrupted_run_resumes_without_encoding_a_shard_twice(data, backbone, tmp_path, capfd):
    first = backbone(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        embed(data, SETTINGS, "corpus", tmp_path / "store", shard_rows=7)
    names = sorted(path.name for path in (tmp_path / "store").iterdir())
    assert names == ["shard-00000.json", "shard-00000.npy", "shard-00001.json", "shard-00001.npy"]
    second = backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "store", shard_rows=7)
    assert first.encoded + second.encoded == reading.texts(data, "corpus")
    backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "whole", shard_rows=7)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "store" / path.name).read_bytes()
    assert capfd.readouterr() == ("", "")


def part_files(folder, parts):
    return [folder / f"part-{part}-of-{parts}.json" for part in range(1, parts + 1)]


def embed_parts(data, folder, parts, chosen=None):
    for number, file in enumerate(part_files(folder, parts), start=1):
        if chosen is None or number in chosen:
            embed_part(data, SETTINGS, "corpus", file, number, parts, shard_rows=7)


def assert_equal_folders(first, second):
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in second.iterdir()}


@pytest.fixture
def whole(data, backbone, tmp_path):
    backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "whole", shard_rows=7)
    return tmp_path / "whole"


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 9])
def test_jobs_that_share_a_store_leave_what_one_job_leaves(data, backbone, whole, tmp_path, parts):
    """Five shards for up to nine jobs, in any order; the files of the parts are removed, as by the workflow."""
    fake = backbone()
    embed_parts(data, tmp_path / "store", parts, range(parts, 0, -1))
    with pytest.raises(SmecError, match="is not finished"):
        EmbeddingStore.open(tmp_path / "store")
    gather(tmp_path / "store", part_files(tmp_path / "store", parts))
    assert sorted(fake.encoded) == reading.texts(data, "corpus")
    for file in part_files(tmp_path / "store", parts):
        file.unlink()
    assert_equal_folders(tmp_path / "store", whole)


def test_a_part_that_dies_half_way_goes_on_and_touches_no_other(data, backbone, whole, tmp_path):
    backbone()
    embed_parts(data, tmp_path / "store", 2, [1])
    first = backbone(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        embed_parts(data, tmp_path / "store", 2, [2])
    assert not part_files(tmp_path / "store", 2)[1].exists()
    second = backbone()
    embed_parts(data, tmp_path / "store", 2, [2])
    assert first.encoded + second.encoded == reading.texts(data, "corpus", 14), "the shards 2, 3 and 4, once"
    gather(tmp_path / "store", files := part_files(tmp_path / "store", 2))
    for file in files:
        file.unlink()
    assert_equal_folders(tmp_path / "store", whole)


def test_another_number_of_jobs_encodes_nothing_again(data, backbone, whole, tmp_path):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    fake = backbone()
    embed_parts(data, whole, 3)
    gather(whole, files := part_files(whole, 3))
    assert fake.encoded == []
    for file in files:
        file.unlink()
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_other_code_encodes_anew(data, backbone, whole, monkeypatch):
    monkeypatch.setattr(embedding, "source_hash", lambda *_: "edited")
    fake = backbone()
    embed_parts(data, whole, 2, [1])
    assert fake.encoded == reading.texts(data, "corpus", 0, 14)
    assert not (whole / "manifest.json").exists(), "what others might read is no longer whole"
    embed(data, SETTINGS, "corpus", whole, shard_rows=7)
    assert fake.encoded == reading.texts(data, "corpus")


def test_a_part_that_is_not_there(data, backbone, tmp_path):
    with pytest.raises(SmecError, match="no part 3 of 2"):
        embed_part(data, SETTINGS, "corpus", tmp_path / "part-3-of-2.json", 3, 2)


def test_a_part_without_shards_loads_no_model(data, monkeypatch, tmp_path):
    monkeypatch.setattr(embedding.backbones, "load", lambda _: pytest.fail("loaded"))
    embed_part(data, SETTINGS, "corpus", tmp_path / "part-1-of-9.json", 1, 9, shard_rows=7)


def test_a_finished_store_is_left_alone(data, backbone, tmp_path):
    backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "store")
    again = backbone()
    embed(data, SETTINGS, "corpus", tmp_path / "store")
    assert again.encoded == []


@pytest.mark.parametrize("change", ["text", "precision", "prompt", "dtype"])
def test_a_change_of_the_key_encodes_anew(data, backbone, tmp_path, change):
    backbone(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        embed(data, SETTINGS, "corpus", tmp_path / "store", shard_rows=7)
    if change == "text":
        prepare(data, word="other")
    settings = SETTINGS.model_copy(update={"corpus_prompt": "passage: "}) if change == "prompt" else SETTINGS
    second = backbone(precision="bfloat16" if change == "precision" else "float32")
    dtype = "float16" if change == "dtype" else "float32"
    embed(data, settings, "corpus", tmp_path / "store", shard_rows=7, dtype=dtype)
    assert len(second.encoded) == ROWS
    if change in ("text", "prompt"):
        prepare(data)
        with pytest.raises(SmecError, match="store of another"):
            EmbeddingStore.open(tmp_path / "store", expected_key(data, SETTINGS, "corpus"))


def test_the_query_prompt_does_not_touch_the_corpus(data):
    prompted = SETTINGS.model_copy(update={"query_prompt": "query: "})
    assert expected_key(data, SETTINGS, "corpus") == expected_key(data, prompted, "corpus")
    assert expected_key(data, SETTINGS, "queries") != expected_key(data, prompted, "queries")


def test_a_text_dataset_has_no_vectors(data, tmp_path):
    with pytest.raises(SmecError, match="brings no vectors"):
        embed(data, PrecomputedSettings(dim=4), "corpus", tmp_path / "store")


def test_registry():
    assert {"open_clip", "precomputed", "sentence_transformer"} <= backbones.SETTINGS.keys()
    with pytest.raises(SmecError, match=r"'sentence_transformers' is unknown. Did you mean 'sentence_transformer'"):
        backbones.parse({"kind": "sentence_transformers"})
    with pytest.raises(SmecError, match="Did you mean 'batch_size'"):
        backbones.load({"kind": "sentence_transformer", "batchsize": 4})
    with pytest.raises(SmecError, match="dim"):
        backbones.parse({"kind": "precomputed"})
    for model in backbones.SETTINGS.values():
        assert all(field.description for field in model.model_fields.values())


def test_zero_rows_stay_zero_and_others_get_unit_length():
    rows = np.array([[3, 4], [0, 0], [300, 400]], dtype=np.float16)
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(unit_rows(np.array([[127, 0]], dtype=np.int8)), [[1, 0]])
