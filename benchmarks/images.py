"""The embed step against a plain open_clip loop over the same image files: `python -m benchmarks images`.

A small CLIP with random weights on photos of 300 pixels, so that reading and decoding count. The loop is what one
writes by hand: open, transform, stack a batch, encode. Ours includes comparing each file's checksum, unit length and
writing the store.
"""

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Comparison, compare, want_ratio
from smec import backbones, datasets
from smec.backbones.open_clip_models import CONFIG, WEIGHTS
from smec.datasets import reading
from smec.embedding import fill
from smec.store_writer import StoreWriter

BATCH = 64
SIDE = 300
CLASSES = 16
ARCHITECTURE = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 96, "patch_size": 16, "width": 192, "head_width": 48, "layers": 4},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


def measure(toy: bool = False) -> list[Comparison]:
    """Compare on JPEG files."""
    images, rounds = (CLASSES * 2, 1) if toy else (768, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _photos(folder / "photos", images)
        _model(folder / "model")
        datasets.prepare({"kind": "image_folder", "path": str(folder / "photos")}, folder / "data")
        settings = {"kind": "open_clip", "model": str(folder / "model"), "dim": 128, "batch_size": BATCH}
        backbone = backbones.load(settings)
        ours = (f"smec embed, {images} photos", lambda: embed_once(backbone, folder / "data"))
        peer = ("a loop over open_clip", lambda: plain_loop(backbone, sorted((folder / "photos").rglob("*.jpg"))))
        return want_ratio(compare(ours, [peer], rounds), 1.0)


def embed_once(backbone: Any, folder: Path) -> None:
    """Encode the corpus in `folder` into a new store."""
    rows = backbone.rows(folder, "corpus")
    with tempfile.TemporaryDirectory() as store:
        writer = StoreWriter(Path(store), {"role": "corpus"}, reading.count(folder, "corpus"), rows.dim, 8192)
        fill(writer, rows, lambda start, stop: reading.ids(folder, "corpus", start, stop))


def plain_loop(backbone: Any, files: list[Path]) -> None:
    """Encode the files batch by batch."""
    import torch
    from PIL import Image

    with torch.inference_mode():
        for start in range(0, len(files), BATCH):
            batch = [backbone.transform(Image.open(file)) for file in files[start : start + BATCH]]
            backbone.model.encode_image(torch.stack(batch).to(backbone.device), normalize=True)


def _photos(folder: Path, count: int) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for place in range(count):
        coarse = random.integers(0, 256, (SIDE // 10, SIDE // 10, 3), dtype=np.uint8)
        file = folder / str(place % CLASSES) / f"{place}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        with io.BytesIO() as stream:
            Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
            file.write_bytes(stream.getvalue())


def _model(folder: Path) -> None:
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps({"model_cfg": ARCHITECTURE}))
    state = CLIP(**ARCHITECTURE).state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, folder / WEIGHTS[0])
