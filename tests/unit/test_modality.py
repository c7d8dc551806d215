"""Whether a backbone takes what a dataset holds, told before anything runs."""

import pytest

from smec import backbones, datasets
from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table, write
from smec.datasets.images import stored_table
from smec.embedding import embed
from smec.errors import SmecError
from smec.modality import mismatch

TEXT, VECTORS, BOTH = frozenset({"text"}), frozenset({"vectors"}), frozenset({"text", "image"})


@pytest.mark.parametrize("held", ["text", "image"])
def test_what_fits_is_not_told(held):
    assert mismatch("corpus", held, BOTH) is None
    assert mismatch("queries", "vectors", VECTORS) is None


@pytest.mark.parametrize(
    ("held", "taken", "told"),
    [
        ("vectors", TEXT, "brings vectors and no text or images"),
        ("text", VECTORS, r"brings no vectors.*encodes text\.$"),
        ("image", VECTORS, r"brings no vectors.*encodes images\.$"),
        ("image", TEXT, r"holds images as its corpus, and the backbone encodes text only.*kind 'open_clip'"),
        ("text", frozenset({"image"}), r"holds text as its corpus, and the backbone encodes images only"),
    ],
)
def test_a_mismatch_says_what_is_held_and_what_to_use(held, taken, told):
    with pytest.raises(SmecError, match=told):
        raise SmecError(str(mismatch("corpus", held, taken)))


def test_every_kind_declares_what_it_holds_and_takes():
    holding = {kind: {model.model_construct().modality(role) for role in ("corpus", "queries")}
               for kind, model in datasets.SETTINGS.items() if kind in ("pydocs", "beir_folder", "arrays")}  # fmt: skip
    assert holding == {"pydocs": {"text"}, "beir_folder": {"text"}, "arrays": {"vectors"}}
    assert backbones.SETTINGS["precomputed"].encodes == VECTORS
    assert backbones.SETTINGS["sentence_transformer"].encodes == TEXT


class TinySettings(DatasetSettings):
    kind: str = "tiny"


def test_a_prepared_set_is_checked_before_a_model_is_loaded(tmp_path, monkeypatch):
    """Text queries, an image corpus: the one side can be encoded, the other not."""
    monkeypatch.setattr(backbones, "load", lambda _: pytest.fail("the model was loaded"))
    ids = list("abc")
    split = dict(zip(ids, ("train", "validation", "test"), strict=True))
    corpus = stored_table(ids, [b"image"] * 3)
    write(
        Dataset("t", corpus, text_table(ids, ids), qrels_table(ids, ids, [1] * 3), split, ""), TinySettings(), tmp_path
    )
    minilm = backbones.parse({"kind": "sentence_transformer"})
    with pytest.raises(SmecError, match=r"holds images as its corpus, and the backbone encodes text only"):
        embed(tmp_path, minilm, "corpus", tmp_path / "store")
    with pytest.raises(SmecError, match=r"brings no vectors"):
        embed(tmp_path, {"kind": "precomputed", "dim": 4}, "queries", tmp_path / "store")
