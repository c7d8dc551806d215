"""Names, weights, architectures and tokenizers of open_clip: what is unknown, missing or does not fit is told."""

import json
import re

import numpy as np
import pytest

from smec import backbones
from smec.errors import SmecError
from tests.tiny_clip import ARCHITECTURE, WEIGHTS, WIDTH, register, save, settings_of


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save(tmp_path_factory.mktemp("clip") / "model")


COMMIT = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"


def test_weights_of_another_architecture_are_told_by_their_header(tiny, tmp_path, monkeypatch):
    """Before any job, without torch: the plan asks `missing`, the configuration `check`."""
    other = save(tmp_path / "wide", width=48)
    (other / "open_clip_config.json").write_text((tiny / "open_clip_config.json").read_text())
    told = (
        r"wide.open_clip_model\.safetensors are of another architecture than '.*wide': visual\.conv1\.weight is "
        r"\(48, 3, 16, 16\), wanted \(32, 3, 16, 16\); visual\.proj is .* Correct `model`"
    )
    assert re.search(told, settings_of(other).missing())
    with pytest.raises(SmecError, match=told):
        backbones.load(settings_of(other, device="cpu"))
    register(monkeypatch, tmp_path, json.loads((tiny / "open_clip_config.json").read_text())["model_cfg"])
    assert settings_of("Tiny-16", checkpoint=tiny / WEIGHTS).missing() is None
    with pytest.raises(SmecError, match=r"architecture than 'Tiny-16': visual\.conv1\.weight is"):
        settings_of("Tiny-16", checkpoint=other / WEIGHTS).check()


def test_what_the_header_does_not_tell_is_told_by_the_job(tiny, tmp_path):
    deeper = save(tmp_path / "deeper", layers=2)
    (deeper / "open_clip_config.json").write_text((tiny / "open_clip_config.json").read_text())
    assert settings_of(deeper).missing() is None
    with pytest.raises(SmecError, match=r"architecture than .*resblocks\.1\..* has no place; .*\(12 differences\)"):
        backbones.load(settings_of(deeper, device="cpu"))


def test_the_header_agrees_with_what_open_clip_builds(tiny):
    from safetensors.torch import load_file

    from smec.backbones.clip_header import shapes

    assert shapes(tiny / WEIGHTS) == {name: tuple(each.shape) for name, each in load_file(tiny / WEIGHTS).items()}


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1", b"\x02" + b"\0" * 7 + b"[]"])
def test_a_damaged_header_has_no_shapes(tmp_path, content):
    from smec.backbones.clip_header import shapes

    (tmp_path / WEIGHTS).write_bytes(content)
    assert shapes(tmp_path / WEIGHTS) == {}


@pytest.fixture
def edited(tiny, tmp_path):
    """A copy of the model whose configuration is replaced."""

    def written(text):
        (tmp_path / WEIGHTS).write_bytes((tiny / WEIGHTS).read_bytes())
        (tmp_path / "open_clip_config.json").write_text(text if isinstance(text, str) else json.dumps(text))
        return tmp_path

    return written


def towers(**vision):
    return ARCHITECTURE | {"vision_cfg": ARCHITECTURE["vision_cfg"] | vision}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"model_cfg": towers(layerz=2)},
            r"does not know the key 'layerz' in model_cfg\.vision_cfg of .*open_clip_config\.json\. Did .* 'layers'",
        ),
        ({"model_cfg": ["ViT-B-32"]}, r"open_clip_config\.json has no 'model_cfg' that is a mapping"),
        ([], r"open_clip_config\.json has no 'model_cfg' that is a mapping"),
        ({"model_cfg": {"embed_dim": WIDTH}}, r"open_clip_config\.json has no 'vision_cfg' that is a mapping"),
        ("{", r"open_clip_config\.json is not valid JSON \(.*\)\. Correct it\.$"),
    ],
)
def test_faults_of_the_configuration_of_a_folder_name_the_file(edited, content, told):
    folder = edited(content)
    assert re.search(told, settings_of(folder).missing())
    with pytest.raises(SmecError, match=told):
        backbones.load(settings_of(folder, device="cpu"))


def test_an_architecture_that_open_clip_cannot_build_names_the_file(edited):
    """Its keys are known, and the sizes do not fit each other: 32 is no multiple of 5 heads of 6."""
    folder = edited({"model_cfg": towers(head_width=6)})
    with pytest.raises(SmecError, match=r"cannot build the model of .*open_clip_config\.json: .* Correct it\.$"):
        backbones.load(settings_of(folder, device="cpu"))


def test_all_architectures_of_the_library_pass_as_configurations():
    from smec.backbones.clip_architecture import model_config
    from smec.backbones.open_clip_models import architectures

    known = architectures()
    assert len(known) > 100
    for file in known.values():
        assert model_config({"model_cfg": json.loads(file.read_text())}, file)


def test_missing_and_damaged_files(tiny, tmp_path):
    with pytest.raises(SmecError, match=r"folder .*nowhere of the backbone does not exist"):
        settings_of(tmp_path / "nowhere").check()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SmecError, match=r"open_clip_config\.json is missing"):
        settings_of(tmp_path / "empty").check()
    (tmp_path / "empty" / "open_clip_config.json").write_text((tiny / "open_clip_config.json").read_text())
    with pytest.raises(SmecError, match=r"holds none of open_clip_model\.safetensors"):
        settings_of(tmp_path / "empty").check()
    (tmp_path / "empty" / WEIGHTS).write_bytes((tiny / WEIGHTS).read_bytes()[:-9])
    with pytest.raises(SmecError, match=r"could not be loaded from .*Are its files whole"):
        backbones.load(settings_of(tmp_path / "empty", device="cpu"))
    with pytest.raises(SmecError, match=r"gives vectors of 16 dimensions, but the backbone says 32. Set dim: 16"):
        settings_of(tiny, dim=32).check()
    with pytest.raises(SmecError, match=r"gone\.safetensors does not exist"):
        settings_of("ViT-B-32", dim=512, checkpoint=tmp_path / "gone.safetensors").check()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"model": "ViT-B-23", "pretrained": "openai"},
            r"open_clip has no model 'ViT-B-23'\. Did you mean 'ViT-B-32'\?",
        ),
        ({"model": "ViT-B/32", "pretrained": "openai"}, r"Did you mean 'ViT-B-32'\?"),
        ({"model": "ViT-B-32", "pretrained": "openai", "dim": 768}, r"gives vectors of 512 .* Set dim: 512"),
        ({"model": "vit-b-32", "pretrained": "openai"}, r"Did you mean 'ViT-B-32'\?"),
        ({"model": "SigLIP", "pretrained": "webli"}, r"with it: ViT-B-16-SigLIP, .* and \d+ others\. A hub id begins"),
        ({"model": "ViT-B-32"}, r"needs either `pretrained` or `checkpoint`"),
        (
            {"model": "models/mine"},
            r"'models/mine' is no name .*a folder is written as '\./models/mine', .*'hf-hub:models/mine' with `rev",
        ),
        ({"model": "results/models/x"}, r"a folder is written as '\./results/models/x'$"),
        ({"model": "ViT-B-32", "pretrained": "openai", "checkpoint": "x.safetensors"}, r"needs either"),
        ({"model": "ViT-B-32", "checkpoint": "x.pt"}, r"x\.pt is not a \.safetensors file"),
        ({"model": "./folder", "pretrained": "openai"}, r"brings its weights"),
        ({"model": "./folder", "revision": COMMIT}, r"leave `revision` out: the weights are local files"),
        ({"model": "ViT-B-32", "checkpoint": "x.safetensors", "revision": COMMIT}, r"leave `revision` out"),
        ({"model": "hf-hub:laion/x"}, r"`revision` must be the full commit hash"),
        ({"model": "hf-hub:laion/x", "revision": "main"}, r"`revision` must be the full commit hash .* got 'main'"),
    ],
)
def test_faults_of_the_settings_are_told_without_loading(values, told):
    with pytest.raises(SmecError, match=told):
        backbones.parse({"kind": "open_clip", "dim": 512, **values})


def test_a_folder_that_is_there_is_told_from_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    with pytest.raises(SmecError, match=r"'mine' is no name of an architecture; a folder is written as '\./mine'$"):
        settings_of("mine")


def test_unknown_and_unfitting_tags():
    for tag, told in (
        (
            "laion2b_s34b_b79",
            r"no weights 'laion2b_s34b_b79' for the model 'ViT-B-32'\. Did you mean 'laion2b_s34b_b79k'",
        ),
        ("openai", r"trained with QuickGELU, which the model 'ViT-B-32' does not have\. Set model: ViT-B-32-quickgelu"),
    ):
        named = settings_of("ViT-B-32", dim=512, pretrained=tag)
        assert re.search(told, named.missing()), "a plan tells it, and so does a job before it looks for files"
        for used in (named.check, lambda named=named: backbones.load(named)):
            with pytest.raises(SmecError, match=told):
                used()


def test_a_known_tag_is_fine_and_needs_no_network():
    assert settings_of("ViT-B-32", dim=512, pretrained="laion2b_s34b_b79k").missing() is None


def test_a_revision_of_weights_that_are_not_on_the_hub_is_told(monkeypatch):
    monkeypatch.setattr("open_clip.pretrained.get_pretrained_cfg", lambda model, tag: {"url": "https://nowhere/x.pt"})
    named = settings_of("ViT-B-32", dim=512, pretrained="elsewhere", revision=COMMIT)
    told = (
        rf"weights 'elsewhere' of the model 'ViT-B-32' do not come from the hub, so the revision {COMMIT} .*Leave `rev"
    )
    assert re.search(told, named.missing())
    with pytest.raises(SmecError, match=told):
        backbones.load(named)
    assert settings_of("ViT-B-32", dim=512, pretrained="elsewhere").missing() is None


TOKENIZER = "nobody/tiny-tokenizer"


def with_hub_tokenizer(folder):
    """The configuration of the tiny model with a tokenizer as SigLIP's: on the hub."""
    content = json.loads((folder / "open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = TOKENIZER
    return content


def test_a_tokenizer_that_is_missing_is_told_apart_from_the_weights(tiny, tmp_path, monkeypatch):
    content = with_hub_tokenizer(tiny)
    register(monkeypatch, tmp_path, content["model_cfg"])
    with pytest.raises(
        SmecError,
        match=rf"The tokenizer '{TOKENIZER}' of the model 'Tiny-16' could not be loaded: .* Its weights are not at "
        rf"fault: .*`hf download {TOKENIZER}`, and set HF_HOME",
    ):
        backbones.load(settings_of("Tiny-16", checkpoint=tiny / WEIGHTS, device="cpu"))
    own = tmp_path / "own"
    own.mkdir()
    (own / "open_clip_config.json").write_text(json.dumps(content))
    (own / WEIGHTS).write_bytes((tiny / WEIGHTS).read_bytes())
    with pytest.raises(
        SmecError, match=r"The tokenizer of the model '.*own' could not be loaded: .*tokenizer\.json, be"
    ):
        backbones.load(settings_of(own, device="cpu"))


def test_the_key_names_a_tokenizer_of_the_hub(tiny, tmp_path, monkeypatch):
    register(monkeypatch, tmp_path, with_hub_tokenizer(tiny)["model_cfg"])
    monkeypatch.setattr("open_clip.get_tokenizer", lambda name: str.split)
    named = backbones.load(settings_of("Tiny-16", checkpoint=tiny / WEIGHTS, device="cpu"))
    assert named.identity["tokenizer"] == TOKENIZER
    assert "tokenizer" not in backbones.load(settings_of(tiny, device="cpu")).identity


def test_an_unreachable_hub_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    named = settings_of("ViT-B-32", dim=512, pretrained="laion2b_s34b_b79k")
    hub = settings_of("hf-hub:laion/CLIP-ViT-H-14-laion2B-s32B-b79K", dim=1024, revision=COMMIT)
    for asked in (named, hub):
        with pytest.raises(SmecError, match=r"could not be downloaded: .*give its folder as `model`"):
            backbones.load(asked)


def test_a_checkpoint_of_a_named_architecture_is_loaded(tiny, tmp_path, monkeypatch):
    register(monkeypatch, tmp_path, json.loads((tiny / "open_clip_config.json").read_text())["model_cfg"])
    texts = ["a drawing", "another drawing"]
    named = backbones.load(settings_of("Tiny-16", checkpoint=tiny / WEIGHTS, device="cpu"))
    folder = backbones.load(settings_of(tiny, device="cpu"))
    np.testing.assert_allclose(named.encode(texts, "corpus"), folder.encode(texts, "corpus"), atol=1e-6)
