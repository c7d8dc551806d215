"""A CLIP that is trained here: it learns, equal seeds give equal weights, and it is then a backbone as any other."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest

from smec import backbones, config, datasets
from smec.backbones.clip_options import ClipTraining
from smec.embedding import embed
from smec.errors import SmecError
from smec.jobs import pretrain
from smec.judgements import Judgements
from smec.store import EmbeddingStore
from tests.tiny_clip import ARCHITECTURE, WEIGHTS, WIDTH
from tests.unit.test_config import GOOD

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

    return load_pairs(data, build({"model_cfg": ARCHITECTURE}, 0))


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

    model, shown = build({"model_cfg": ARCHITECTURE}, 0), coloured()
    before = zero_shot(model.eval(), shown, "train")
    losses = train(model, shown, ClipTraining(steps=40, batch_size=16))
    after = zero_shot(model, shown, "train")
    assert losses[-1] < 1 < losses[0]
    assert set(before) == {"text_to_image", "image_to_text", "image_to_image"}
    assert all(before[task] < 0.4 and after[task] > 0.9 for task in ("text_to_image", "image_to_text"))
    assert after["image_to_image"] > max(0.9, before["image_to_image"])


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

    model = build({"model_cfg": ARCHITECTURE}, 0)
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


def test_a_set_without_captions_is_refused(architecture, tmp_path):
    datasets.prepare(GLYPHS | {"queries_per_character": 1}, tmp_path)
    with pytest.raises(SmecError, match=r"holds image and image\. A CLIP is trained on .*'text_to_image'"):
        pretrain.run({"backbone": values(architecture)}, tmp_path, tmp_path / "model")


def test_an_architecture_that_cannot_be_built(data, tmp_path):
    from smec.clip_training import build

    wrong = copy.deepcopy(ARCHITECTURE)
    wrong["vision_cfg"]["widht"] = 3
    with pytest.raises(SmecError, match=r"cannot build the architecture: .*widht"):
        build({"model_cfg": wrong}, 0)


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
