"""A CLIP that is trained here: it learns, equal seeds give equal weights, and it is then a backbone as any other."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from smec import backbones, config, datasets
from smec.backbones.clip_options import ClipTraining
from smec.embedding import embed
from smec.errors import SmecError
from smec.jobs import pretrain
from smec.judgements import Judgements
from smec.store import EmbeddingStore
from tests.tiny_clip import ARCHITECTURE, WEIGHTS, WIDTH
from tests.unit.test_config import GOOD, ROOT

GLYPHS = {"kind": "glyphs", "max_characters": 40, "queries_per_character": 0, "documents_per_character": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glyphs")
    datasets.prepare(GLYPHS | {"task": "text_to_image"}, folder)
    return folder


@pytest.fixture(scope="module")
def architecture(tmp_path_factory):
    path = tmp_path_factory.mktemp("architecture") / "tiny.json"
    path.write_text(json.dumps({"model_cfg": ARCHITECTURE}))
    return path


def values(architecture, **training):
    return {
        "kind": "trained_clip",
        "model": "./results/models/tiny",
        "architecture": str(architecture),
        "dataset": "glyphs",
        "dim": WIDTH,
        "device": "cpu",
        "training": {"steps": 4, "batch_size": 16} | training,
    }


@pytest.fixture(scope="module")
def pairs(data):
    from smec.clip_training import build, load_pairs

    return load_pairs(data, *build({"model_cfg": ARCHITECTURE}, 0))


def test_pairs_are_those_of_the_dataset(pairs):
    judged = pairs.captions
    assert pairs.images.shape == (160, 3, 32, 32) and pairs.tokens.shape == (40, 12)
    assert sum(map(len, judged.values())) == 40
    assert all((np.diff(each.offsets) == 4).all() for each in judged.values())


def coloured(captions=16, views=4):
    """Images that are easy to tell apart: four coloured squares with noise, other colours for each caption."""
    import open_clip
    import torch

    from smec.clip_training import CaptionedImages

    generator = torch.Generator().manual_seed(0)
    colours = torch.randn(captions, 1, 3, 2, 2, generator=generator)
    noise = torch.randn(captions, views, 3, 32, 32, generator=generator)
    images = colours.repeat_interleave(16, 3).repeat_interleave(16, 4) + 0.3 * noise
    tokens = open_clip.tokenizer.SimpleTokenizer(context_length=12)([f"{chr(97 + i)} thing" for i in range(captions)])
    owner = np.repeat(np.arange(captions), views)
    judged = Judgements.from_triples(owner, np.arange(captions * views), np.ones(captions * views))
    return CaptionedImages(images.flatten(0, 1), tokens, {"train": judged})


def test_training_learns():
    from smec.clip_training import build, train, zero_shot

    (model, _), shown = build({"model_cfg": ARCHITECTURE}, 0), coloured()
    before = zero_shot(model.eval(), shown, "train")
    losses = train(model, shown, ClipTraining(steps=40, batch_size=16))
    after = zero_shot(model, shown, "train")
    assert losses[-1] < 1 < losses[0]
    assert set(before) == {"text_to_image", "image_to_text", "image_to_image"}
    assert all(before[task] < 0.4 and after[task] > 0.9 for task in ("text_to_image", "image_to_text"))
    assert after["image_to_image"] > max(0.9, before["image_to_image"])


def test_the_shipped_clip_learns_names_that_it_was_not_trained_on(tmp_path):
    """A fifth of the steps on a seventh of the characters: ten seconds, and several times of what chance finds."""
    from smec.clip_training import build, load_pairs, train, zero_shot

    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    small = {"max_characters": 300, "documents_per_character": 8}
    datasets.prepare(shipped["datasets"]["glyph_pretraining"] | small, tmp_path)
    model, tokenizer = build(json.loads((ROOT / shipped["backbones"]["glyph_clip"]["architecture"]).read_text()), 0)
    shown = load_pairs(tmp_path, model, tokenizer)
    before = zero_shot(model.eval(), shown, "test")
    train(model, shown, ClipTraining(steps=100, batch_size=64))
    after = zero_shot(model, shown, "test")
    assert len(shown.captions["test"]) > 50
    assert after["text_to_image"] > 4 * before["text_to_image"], (before, after)
    assert after["image_to_text"] > 3 * before["image_to_text"], (before, after)


def test_image_to_image_asks_with_the_first_image_of_a_caption_for_its_others():
    """Encoders that hand out chosen vectors: the images of one caption alike, but for one that is put elsewhere."""
    import torch

    from smec.clip_training import CaptionedImages, zero_shot

    views, captions = 3, 4
    owner = np.repeat(np.arange(captions), views)
    vectors = torch.eye(captions)[owner]
    judged = Judgements.from_triples(owner, np.arange(captions * views), np.ones(captions * views))

    def scored(images):
        model = SimpleNamespace(
            encode_image=lambda images: images, encode_text=lambda tokens: torch.eye(captions)[tokens]
        )
        return zero_shot(model, CaptionedImages(images, torch.arange(captions), {"test": judged}), "test")

    assert scored(vectors) == pytest.approx({"text_to_image": 1, "image_to_text": 1, "image_to_image": 1})
    moved = vectors.clone()
    moved[2] = -torch.eye(captions)[0]
    # Of the first caption one of two others comes last of all eleven, beyond the tenth place; it asks nothing itself.
    ideal = 1 + 1 / np.log2(3)
    assert scored(moved)["image_to_image"] == pytest.approx((3 + 1 / ideal) / 4)
    single = CaptionedImages(vectors[::views], torch.arange(captions), {})
    single.captions["test"] = Judgements.from_triples(np.arange(captions), np.arange(captions), np.ones(captions))
    model = SimpleNamespace(encode_image=lambda images: images, encode_text=lambda tokens: torch.eye(captions)[tokens])
    assert "image_to_image" not in zero_shot(model, single, "test"), "no caption has another image"


def test_a_loss_that_is_not_finite_is_told():
    from smec.clip_training import build, train

    model, _ = build({"model_cfg": ARCHITECTURE}, 0)
    with pytest.raises(SmecError, match=r"became nan in step \d+\. Lower `learning_rate`"):
        train(model, coloured(), ClipTraining(steps=20, batch_size=16, learning_rate=1e30))


def test_no_caption_is_twice_in_a_batch_and_images_are_its_own(pairs):
    from smec.clip_training import _batches

    judged = pairs.captions["train"]
    batches = _batches(pairs, ClipTraining(batch_size=16))
    for _ in range(5):
        images, tokens = next(batches)
        assert len({tuple(row) for row in tokens.tolist()}) == len(tokens) == 16
        for image, row in zip(images, tokens, strict=True):
            query = next(q for q in range(len(judged)) if (pairs.tokens[judged.query_rows[q]] == row).all())
            own = judged.corpus_rows[judged.offsets[query] : judged.offsets[query + 1]]
            assert any((pairs.images[place] == image).all() for place in own)


def test_it_is_written_recorded_and_used(data, architecture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = {"backbone": values(architecture)}
    settings = backbones.parse(spec["backbone"])
    with pytest.raises(SmecError, match=r"results/models/tiny of the backbone does not exist"):
        backbones.load(settings)
    for name in ("tiny", "again"):
        pretrain.run(spec, data, tmp_path / "results" / "models" / name)
    folder = tmp_path / "results" / "models" / "tiny"
    assert (folder / WEIGHTS).read_bytes() == (folder.parent / "again" / WEIGHTS).read_bytes()
    assert [file.name for file in settings.files()] == ["open_clip_config.json", WEIGHTS]
    record = json.loads((folder / "record.json").read_text())
    assert len(record["loss"]) == 4 and record["images"] == 160
    assert set(record["ndcg@10"]) == {"untrained", "trained"} and record["seconds"] > 0
    for role in ("queries", "corpus"):
        embed(data, settings, role, tmp_path / role)
    assert EmbeddingStore.open(tmp_path / "corpus")[:].shape == (160, WIDTH)
    assert settings.declared("corpus")["training"]["steps"] == 4


@pytest.fixture
def written(tmp_path):
    """Writes an architecture that differs from the tiny one, and returns the settings of a backbone that trains it."""

    def settings(vision=None, text=None, preprocess=None, **others):
        changed = {name: ARCHITECTURE[name] | (new or {}) for name, new in (("vision_cfg", vision), ("text_cfg", text))}
        (tmp_path / "mine.json").write_text(
            json.dumps({"model_cfg": ARCHITECTURE | changed | others, "preprocess_cfg": preprocess or {}})
        )
        return values(tmp_path / "mine.json")

    return settings


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vision": {"layerz": 2}}, r"'layerz' in model_cfg\.vision_cfg of .*mine\.json\. Did you mean 'layers'"),
        ({"text": {"heds": 2}}, r"'heds' in model_cfg\.text_cfg of .*mine\.json\. Did you mean 'heads'"),
        ({"custom_text": True}, r"does not know the key 'custom_text' in model_cfg of .*mine\.json"),
        ({"preprocess": {"maen": [0.5, 0.5, 0.5]}}, r"'maen' in preprocess_cfg of .*Did you mean 'mean'"),
        ({"preprocess": {"size": 48}}, r"mine\.json makes images of the size 48, but .* the image_size 32\. Remove"),
        ({"preprocess": [1]}, r"'preprocess_cfg' of .*mine\.json is no mapping"),
        ({"text": {"hf_tokenizer_name": "a/b"}}, r"mine\.json has the key 'hf_tokenizer_name' .* comes from the hub"),
        ({"text": {"hf_model_name": "roberta-base"}}, r"the key 'hf_model_name' .* remove the key"),
        ({"text": {"vocab_size": 1000}}, r"vocab_size of 1000, but the tokenizer has 49408 tokens\. Set vocab_size"),
        (
            {"text": {"tokenizer_kwargs": {"additional_special_tokens": ["<x>"]}}},
            r"vocab_size of 49408, but the tokenizer has 49409 tokens",
        ),
        (
            {"text": {"tokenizer_kwargs": {"claen": "lower"}}},
            r"tokenizer_kwargs' .*mine\.json has the key 'claen'.*'clean'",
        ),
        (
            {"text": {"tokenizer_kwargs": {"reduction_mask": "simple"}}},
            r"the key 'reduction_mask', which cannot be used",
        ),
        ({"text": {"tokenizer_kwargs": "lower"}}, r"'tokenizer_kwargs' in .*mine\.json is no mapping"),
    ],
)
def test_faults_of_the_architecture_are_told_before_anything_runs(written, changes, told):
    settings = backbones.parse(written(**changes))
    with pytest.raises(SmecError, match=told):
        settings.check()
    assert settings.missing()


@pytest.mark.parametrize("content", ["[]", '{"model_cfg": 3}', '{"model_cfg": {"embed_dim": 16}}', "{"])
def test_a_file_that_is_no_architecture_is_to_be_corrected(tmp_path, content):
    (tmp_path / "mine.json").write_text(content)
    settings = backbones.parse(values(tmp_path / "mine.json"))
    with pytest.raises(
        SmecError, match=r"mine\.json (has no '(model|vision)_cfg' that is a m|is not valid J.*Correct it)"
    ):
        settings.check()
    with pytest.raises(SmecError, match=r"cannot be read \(Is a directory\)\. Correct the path"):
        backbones.parse(values(tmp_path)).check()


def test_an_image_size_that_is_left_out_is_the_one_of_open_clip():
    from smec.clip_training import build

    vision = {key: value for key, value in ARCHITECTURE["vision_cfg"].items() if key != "image_size"}
    model, _ = build({"model_cfg": ARCHITECTURE | {"vision_cfg": vision}}, 0)
    assert model.visual.preprocess_cfg["size"] == 224 == model.visual.image_size[0]


@pytest.mark.parametrize("options", [{}, {"clean": "canonicalize"}])
def test_captions_are_read_alike_in_training_and_after_it(written, data, tmp_path, monkeypatch, options):
    from smec.clip_training import build

    monkeypatch.chdir(tmp_path)
    spec = {"backbone": written(text={"tokenizer_kwargs": options})}
    pretrain.run(spec, data, tmp_path / "results" / "models" / "tiny")
    loaded = backbones.load(spec["backbone"])
    _, trained_with = build(json.loads((tmp_path / "mine.json").read_text()), 0)
    captions = ["LATIN SMALL LETTER A WITH ACUTE", "a_b, c.d!", "word " * 40]
    assert (loaded.tokenizer(captions) == trained_with(captions)).all()
    _, plain = build({"model_cfg": ARCHITECTURE}, 0)
    assert bool((plain(captions) == trained_with(captions)).all()) == (not options)


def test_a_set_without_captions_is_refused(architecture, tmp_path):
    datasets.prepare(GLYPHS | {"queries_per_character": 1}, tmp_path)
    with pytest.raises(SmecError, match=r"holds image and image\. A CLIP is trained on .*'text_to_image'"):
        pretrain.run({"backbone": values(architecture)}, tmp_path, tmp_path / "model")


def test_an_architecture_that_cannot_be_built():
    from smec.clip_training import build

    wrong = {**ARCHITECTURE, "vision_cfg": ARCHITECTURE["vision_cfg"] | {"width": 33}}
    with pytest.raises(SmecError, match=r"cannot build the architecture of mine\.json: .* Correct that file"):
        build({"model_cfg": wrong}, 0, "mine.json")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": "glyhps"}, r"backbones\.minilm\.dataset: there is no dataset 'glyhps' .*'glyphs'"),
        (
            {"dataset": "docs"},
            r"dataset: datasets\.docs is of the task 'image'\. A CLIP is trained on .*'text_to_image'",
        ),
        ({"dataset": "unsplit"}, r"datasets\.unsplit\.test_fraction in the configuration is 0"),
        ({"dataset": "shop"}, r"datasets\.shop\.path in the configuration names nowhere, which does not exist"),
        ({"model": "results/models/tiny"}, r"model: it must be \./results/models/NAME, with '\./' before it"),
        ({"dim": 32}, r"gives vectors of 16 dimensions, but the backbone says 32"),
        ({"architecture": "nowhere.json"}, r"nowhere\.json does not exist"),
        ({"model": "./models/tiny"}, r"must be \./results/models/NAME"),
        ({"training": {"step": 3}}, r"Did you mean 'steps'\?"),
        ({"checkpoint": "x.safetensors"}, r"brings its weights"),
    ],
)
def test_faults_of_the_configuration_are_told_before_anything_runs(architecture, changes, told):
    configured = copy.deepcopy(GOOD)
    captioned = GLYPHS | {"task": "text_to_image"}
    configured["datasets"] = {
        "docs": GLYPHS,
        "glyphs": captioned,
        "unsplit": captioned | {"test_fraction": 0},
        "shop": {"kind": "image_folder", "path": "nowhere", "task": "text_to_image", "caption": "{label}"},
    }
    configured["experiments"] = [{"dataset": "docs", "backbone": "minilm", "sizes": [16, 8]}]
    configured["backbones"]["minilm"] = values(architecture)
    assert config.load(configured)
    configured["backbones"]["minilm"] |= changes
    with pytest.raises(SmecError, match=told):
        config.load(configured)
