"""A CLIP of two tiny towers with random weights, saved as open_clip saves one, and images to show it."""

import io
import json

import numpy as np
from PIL import Image

from smec import backbones

WIDTH = 16
ARCHITECTURE = {
    "embed_dim": WIDTH,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}


def save(folder, seed=0, **vision):
    """Write configuration and weights to a folder; `vision` changes the image tower."""
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    architecture = {**ARCHITECTURE, "vision_cfg": ARCHITECTURE["vision_cfg"] | vision}
    torch.manual_seed(seed)
    model = CLIP(**architecture)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": architecture, "preprocess_cfg": {}}))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)
    return folder


WEIGHTS = "open_clip_model.safetensors"


def picture(seed=0, size=(40, 48), form="PNG"):
    """An image file of random pixels, as bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, form)
        return stream.getvalue()


def settings_of(folder, **values):
    return backbones.parse({"kind": "open_clip", "model": str(folder), "dim": WIDTH, "batch_size": 4, **values})


def register(monkeypatch, folder, architecture):
    """Let open_clip ship one architecture, Tiny-16."""
    import open_clip

    (folder / "Tiny-16.json").write_text(json.dumps(architecture))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {"Tiny-16": architecture})
    for module in ("open_clip_files", "open_clip_models"):
        monkeypatch.setattr(f"smec.backbones.{module}.architectures", lambda: {"Tiny-16": folder / "Tiny-16.json"})
