"""The open_clip backbone, on a tiny model with random weights: its vectors, their keys and the images."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from smec import backbones
from smec.backbones.devices import chosen_precision
from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table, write
from smec.datasets.images import file_table, inspect, stored_table
from smec.embedding import embed, expected_key
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.tiny_clip import WEIGHTS, picture, save, settings_of


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save(tmp_path_factory.mktemp("clip") / "model")


COUNT = 11


TEXTS = [f"drawing number {i}" for i in range(COUNT)]


class TinySettings(DatasetSettings):
    kind: str = "tiny"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Captions ask for images that are files, one of them a palette image and one grey."""
    root = tmp_path_factory.mktemp("images")
    ids = [f"{i:02d}" for i in range(COUNT)]
    for place, name in enumerate(ids):
        (root / f"{name}.png").write_bytes(picture(place))
    for name, mode in (("00", "P"), ("01", "L")):
        Pillow.open(root / f"{name}.png").convert(mode).save(root / f"{name}.png")
    files = [f"{name}.png" for name in ids]
    hashes, _ = inspect(root, files)
    split = dict.fromkeys(ids, "train") | {"01": "validation", "02": "test"}
    folder = tmp_path_factory.mktemp("data")
    images, asked = file_table(ids, files, hashes), text_table(ids, TEXTS)
    details = {"images": {"corpus": str(root)}}
    write(Dataset("t", images, asked, qrels_table(ids, ids, [1] * COUNT), split, "", details), TinySettings(), folder)
    return folder, root


def plain(folder, root):
    """Vectors by the library's own calls, one image and one text at a time."""
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.inference_mode():
        pictures = [transform(Pillow.open(path))[None] for path in sorted(root.iterdir())]
        images = torch.cat([model.encode_image(picture, normalize=True) for picture in pictures])
        texts = torch.cat([model.encode_text(tokenizer([text]), normalize=True) for text in TEXTS])
    return images.numpy(), texts.numpy()


@pytest.mark.parametrize("workers", [0, 2])
def test_both_sides_equal_the_library_at_unit_length(tiny, data, tmp_path, workers):
    folder, root = data
    for role in ("corpus", "queries"):
        embed(folder, settings_of(tiny, workers=workers, device="cpu"), role, tmp_path / role, shard_rows=6)
    images, texts = plain(tiny, root)
    key = expected_key(folder, settings_of(tiny), "corpus")
    np.testing.assert_allclose(EmbeddingStore.open(tmp_path / "corpus", key)[:], images, atol=1e-6)
    np.testing.assert_allclose(EmbeddingStore.open(tmp_path / "queries")[:], texts, atol=1e-6)


def test_the_prompt_goes_before_texts(tiny):
    model = backbones.load(settings_of(tiny, query_prompt="a photo of ", device="cpu"))
    prompted = model.encode(["a photo of x"], "corpus")
    np.testing.assert_allclose(model.encode(["x"], "queries"), prompted, atol=1e-6)
    assert expected_role_key(tiny, "corpus") == expected_role_key(tiny, "corpus", query_prompt="a photo of ")
    assert expected_role_key(tiny, "queries") != expected_role_key(tiny, "queries", query_prompt="a photo of ")


def expected_role_key(folder, role, **values):
    return settings_of(folder, **values).declared(role)


def test_bfloat16_is_near_and_has_a_key_of_its_own(tiny):
    exact, rough = (backbones.load(settings_of(tiny, precision=p, device="cpu")) for p in ("float32", "bfloat16"))
    assert (exact.encode(TEXTS, "corpus") * rough.encode(TEXTS, "corpus")).sum(axis=1).min() > 0.99
    assert exact.identity["weights"] == rough.identity["weights"] and exact.identity != rough.identity


@pytest.mark.parametrize(
    ("asked", "device", "chosen"),
    [
        ("auto", "cuda", "bfloat16"),
        ("auto", "cpu", "float32"),
        ("float32", "cuda", "float32"),
        ("bfloat16", "cpu", "bfloat16"),
    ],
)
def test_the_precision_is_the_one_asked_for_or_the_one_of_the_device(asked, device, chosen):
    assert chosen_precision(asked, device) == chosen


def test_the_key_follows_the_weights(tiny, tmp_path):
    other = save(tmp_path / "other", seed=1)
    found = [backbones.load(settings_of(folder, device="cpu")).identity["weights"] for folder in (tiny, other)]
    assert found[0] != found[1]
    assert settings_of(tiny).files() == (tiny / "open_clip_config.json", tiny / WEIGHTS)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_is_named(tiny, data, tmp_path, workers):
    whole = picture(size=(200, 200))
    ids = list("abc")
    images = stored_table(ids, [whole, whole[: len(whole) // 2], whole])
    split = dict(zip(ids, ("train", "validation", "test"), strict=True))
    write(Dataset("t", images, images, qrels_table(ids, ids, [1] * 3), split, ""), TinySettings(), tmp_path / "data")
    with pytest.raises(SmecError, match=r"The image b cannot be decoded \(.*truncated.*\)\. Replace") as fault:
        embed(tmp_path / "data", settings_of(tiny, workers=workers, device="cpu"), "corpus", tmp_path / "store")
    assert "\n" not in str(fault.value)


def test_an_image_that_changed_is_named(tiny, data, tmp_path):
    (tmp_path / "x.png").write_bytes(picture())
    hashes, _ = inspect(tmp_path, ["x.png"] * 3)
    images, ids = file_table(list("abc"), ["x.png"] * 3, hashes), list("abc")
    split = dict(zip(ids, ("train", "validation", "test"), strict=True))
    details = {"images": {"corpus": str(tmp_path), "queries": str(tmp_path)}}
    dataset = Dataset("t", images, images, qrels_table(ids, ids, [1] * 3), split, "", details)
    write(dataset, TinySettings(), tmp_path / "data")
    (tmp_path / "x.png").write_bytes(picture(1))
    with pytest.raises(SmecError, match=r"x\.png has changed since"):
        embed(tmp_path / "data", settings_of(tiny, workers=1, device="cpu"), "corpus", tmp_path / "store")


def test_the_settings_import_neither_open_clip_nor_torch():
    code = (
        "import sys; from smec import backbones;"
        "backbones.parse({'kind': 'open_clip', 'model': 'ViT-H-14', 'pretrained': 'laion2b_s32b_b79k', 'dim': 1024});"
        "print([m for m in ('torch', 'open_clip', 'PIL', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_images_of_any_mode_are_read(tiny):
    from smec.datasets.images import Image
    from smec.image_batches import image_batches

    model = backbones.load(settings_of(tiny, device="cpu"))
    for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16"):
        with io.BytesIO() as stream:
            Pillow.new(mode, (20, 30)).save(stream, "TIFF")
            image = Image(mode, content=stream.getvalue())
        (batch,) = image_batches([image], model.transform, 4, 0)
        assert batch.shape == (1, 3, 32, 32)
