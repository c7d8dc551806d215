"""Images of a dataset: read whole or not at all, each known by its content."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from smec.datasets import reading
from smec.datasets.base import Dataset, DatasetSettings, qrels_table, write
from smec.datasets.images import Image, decode, file_table, inspect, stored_table
from smec.errors import SmecError
from smec.files import sha256_of_file


class TinySettings(DatasetSettings):
    kind: str = "tiny"


def drawn(seed=0, size=40, form="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    with io.BytesIO() as stream:
        Pillow.fromarray(pixels).save(stream, form)
        return stream.getvalue()


def write_set(folder, table, root=None):
    ids = table["id"].to_pylist()
    split = dict(zip(ids, ("train", "validation", "test"), strict=True))
    details = {} if root is None else {"images": {"corpus": str(root), "queries": str(root)}}
    write(Dataset("t", table, table, qrels_table(ids, ids, [1] * 3), split, "", details), TinySettings(), folder)


def test_files_are_read_back_in_the_order_of_the_ids(tmp_path):
    for name in "cab":
        (tmp_path / f"{name}.png").write_bytes(drawn(ord(name)))
    files = [f"{name}.png" for name in "cab"]
    hashes, faults = inspect(tmp_path, files)
    assert faults == {} and hashes == [sha256_of_file(tmp_path / file) for file in files]
    write_set(tmp_path / "set", file_table(list("cab"), files, hashes), tmp_path)
    found = reading.images(tmp_path / "set", "corpus", 1, 3)
    assert [image.read() for image in found] == [drawn(ord("b")), drawn(ord("c"))]
    assert reading.modality(tmp_path / "set", "queries") == "image"
    with pytest.raises(SmecError, match="no column 'text'"):
        reading.texts(tmp_path / "set", "corpus")
    (tmp_path / "b.png").write_bytes(drawn(9))
    with pytest.raises(
        SmecError, match=r"b\.png has changed since .*delete its folder in results/data .*--forcerun fetch"
    ):
        found[0].read()
    (tmp_path / "c.png").unlink()
    with pytest.raises(SmecError, match=r"c\.png cannot be read \(No such file"):
        found[1].read()


def test_stored_images_are_read_back(tmp_path):
    write_set(tmp_path, stored_table(list("bac"), [b"B", b"A", b"C"]))
    assert [(image.name, image.read()) for image in reading.images(tmp_path, "corpus", 0, 2)] == [
        ("a", b"A"),
        ("b", b"B"),
    ]
    assert reading.modality(tmp_path, "corpus") == "image"


def test_the_fingerprint_follows_the_content_of_a_file(tmp_path):
    prints = []
    for seed in (0, 1):
        (tmp_path / "x.png").write_bytes(drawn(seed))
        hashes, _ = inspect(tmp_path, ["x.png"] * 3)
        write_set(tmp_path / "set", file_table(list("abc"), ["x.png"] * 3, hashes), tmp_path)
        prints.append(reading.fingerprint(tmp_path / "set", "corpus"))
    assert prints[0] != prints[1]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("draft", [False, True])
def test_a_file_cut_short_is_not_decoded(form, draft):
    content = drawn(size=200, form=form)
    decode(content, draft)
    with pytest.raises(ValueError, match=r"truncated|Truncated|broken"):
        decode(content[: len(content) * 3 // 4], draft)


def test_faults_are_told_by_file(tmp_path):
    (tmp_path / "good.png").write_bytes(drawn())
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    hashes, faults = inspect(tmp_path, ["good.png", "text.jpg", "gone.png", "empty.png"])
    assert hashes == [hashlib.sha256(drawn()).hexdigest(), "", "", ""]
    assert list(faults) == ["text.jpg", "gone.png", "empty.png"]
    assert "No such file" in faults["gone.png"] and faults["empty.png"] == "the file is empty"
    assert faults["text.jpg"] == "not an image of a known format"


def test_a_stored_image_needs_no_file():
    assert Image("a", content=b"x").read() == b"x"
