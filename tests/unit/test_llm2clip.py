"""LLM2CLIP, on a tiny model that brings its own code as the published ones do."""

import copy
import json
import shutil

import numpy as np
import pytest

from smec import backbones, config
from smec.backbones.llm2vec import load as load_text_model
from smec.embedding import embed
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.unit.test_config import GOOD
from tests.unit.test_llm2vec import folders  # noqa: F401 - the tiny language models
from tests.unit.test_open_clip import COUNT, TEXTS, data  # noqa: F401 - captions ask for images

DIM, STATES = 8, 16
CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class TinyConfig(PretrainedConfig):
    model_type = "tiny_llm2clip"

    def __init__(self, vision_config=None, **values):
        super().__init__(**values)
        self.vision_config = PretrainedConfig.from_dict(vision_config or {"image_size": 8})


class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.visual = torch.nn.Linear(3, 8)
        self.text_adapter = torch.nn.Sequential(torch.nn.LayerNorm(16), torch.nn.Linear(16, 8))
        self.post_init()

    def get_image_features(self, pixels):
        return self.visual(pixels.mean(dim=(2, 3)))

    def get_text_features(self, states):
        return self.text_adapter(states)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("llm2clip") / "tiny"
    folder.mkdir()
    (folder / "modeling_tiny.py").write_text(CODE)
    auto = {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}
    config = {"model_type": "tiny_llm2clip", "architectures": ["TinyModel"], "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config | {"vision_config": {"image_size": 8}}))
    torch.manual_seed(0)
    shapes = {
        "visual.weight": (8, 3),
        "visual.bias": (8,),
        "text_adapter.1.weight": (8, 16),
        "text_adapter.1.bias": (8,),
    }
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    weights |= {"text_adapter.0.weight": torch.rand(16) + 0.5, "text_adapter.0.bias": torch.randn(16)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def values(tiny, folders):  # noqa: F811
    text_model = {"model": str(folders / "llama"), "dim": STATES, "device": "cpu"}
    return {"kind": "llm2clip", "model": str(tiny), "dim": DIM, "device": "cpu", "workers": 0, "text_model": text_model}


def test_both_sides_are_encoded(values, data, tmp_path, tiny):  # noqa: F811
    from safetensors.numpy import load_file

    folder, _ = data
    trusted = values | {"trust_remote_code": True}
    for role in ("corpus", "queries"):
        embed(folder, trusted, role, tmp_path / role)
    found = EmbeddingStore.open(tmp_path / "queries")[:]
    states = load_text_model(backbones.parse(trusted).text_model).pooled_states(TEXTS, "queries")
    weights = load_file(tiny / "model.safetensors")
    normed = (states - states.mean(1, keepdims=True)) / np.sqrt(states.var(1, keepdims=True) + 1e-5)
    normed = normed * weights["text_adapter.0.weight"] + weights["text_adapter.0.bias"]
    expected = normed @ weights["text_adapter.1.weight"].T + weights["text_adapter.1.bias"]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    images = EmbeddingStore.open(tmp_path / "corpus")[:]
    assert images.shape == (COUNT, DIM) and len(np.unique(images.round(5), axis=0)) == COUNT


def test_code_of_a_model_runs_only_where_it_is_allowed(values):
    with pytest.raises(SmecError, match=r"brings code of its own.*`trust_remote_code: true`"):
        backbones.load(values)
    assert backbones.load(values | {"trust_remote_code": True}).model.config.vision_config.image_size == 8


def test_code_that_does_not_run_is_told(values, tiny, tmp_path):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / "modeling_tiny.py").write_text("from transformers.onnx import OnnxConfig\n" + CODE)
    with pytest.raises(SmecError, match=r"could not be loaded: .*transformers\.onnx"):
        backbones.load(values | {"model": str(broken), "trust_remote_code": True})


def test_a_wrong_width_is_told_before_any_image_of_the_set(values):
    with pytest.raises(SmecError, match=r"gives vectors of 8 dimensions, but the backbone says 9"):
        backbones.load(values | {"trust_remote_code": True, "dim": 9})


def test_a_model_that_encodes_no_such_image_is_told(values, tiny, tmp_path):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    code = CODE.replace("self.visual(pixels.mean(dim=(2, 3)))", "self.visual(pixels)")
    (broken / "modeling_tiny.py").write_text(code)
    with pytest.raises(SmecError, match=r"broken' cannot encode an image of 8 x 8 pixels: .* Correct `image_size`"):
        backbones.load(values | {"model": str(broken), "trust_remote_code": True})


def test_no_language_model_is_told(values, data, tmp_path):  # noqa: F811
    folder, _ = data
    with pytest.raises(SmecError, match=r"has no `text_model`"):
        embed(folder, values | {"trust_remote_code": True, "text_model": None}, "queries", tmp_path / "store")


def test_a_captioned_set_needs_a_language_model_when_the_configuration_is_read(values):
    configured = copy.deepcopy(GOOD)
    configured["datasets"] = {"docs": {"kind": "glyphs", "task": "text_to_image"}}
    configured["experiments"] = [{"dataset": "docs", "backbone": "minilm", "sizes": [DIM, 4]}]
    configured["backbones"]["minilm"] = values | {"trust_remote_code": True}
    assert config.load(configured)
    configured["backbones"]["minilm"]["text_model"] = None
    with pytest.raises(
        SmecError, match=r"datasets\.docs holds text as its queries, and the backbone has no `text_model`"
    ):
        config.load(configured)
    configured["datasets"]["docs"]["task"] = "image"
    assert config.load(configured), "two sides of images need none"


def test_a_hub_id_needs_a_whole_commit(values):
    with pytest.raises(SmecError, match=r"hub id and needs `revision`"):
        backbones.parse(values | {"model": "microsoft/LLM2CLIP-Openai-L-14-336", "revision": "main"})
