"""Stage files: exact, repeatable, whole or absent; and the names of a run's stages."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from smec.errors import SmecError
from smec.method import Stage, stage_names

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def stage():
    tensors = {"weight": WEIGHT, "weight_bias": np.zeros(2, np.float32), "selected": np.array([2, 0])}
    return Stage("truncation", tensors, {2: "weight", 1: "weight"})


def test_round_trip(tmp_path):
    stage().save(tmp_path / "compressor.safetensors")
    loaded = Stage.load(tmp_path / "compressor.safetensors")
    assert loaded.method == "truncation" and loaded.outputs == {2: "weight", 1: "weight"}
    assert loaded.tensors.keys() == stage().tensors.keys()
    for name, tensor in stage().tensors.items():
        assert np.array_equal(loaded.tensors[name], tensor) and loaded.tensors[name].dtype == tensor.dtype


def test_equal_stages_are_equal_bytes_every_time(tmp_path):
    """Safetensors orders several metadata entries by chance, so one file out of two would differ."""
    found = set()
    for number in range(12):
        stage().save(tmp_path / f"{number}.safetensors")
        found.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(found) == 1


def test_a_view_is_saved_as_what_it_shows(tmp_path):
    Stage("pca", {"weight": WEIGHT.T[::-1]}, {3: "weight"}).save(tmp_path / "view.safetensors")
    assert np.array_equal(Stage.load(tmp_path / "view.safetensors").tensors["weight"], WEIGHT.T[::-1])


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file", b"\x10\0\0\0\0\0\0\0{}"])
def test_a_missing_or_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "compressor.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SmecError, match=r"compressor.safetensors cannot be read as a compressor .* train it again"):
        Stage.load(path)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "compressor.safetensors"
    stage().save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SmecError, match=r"cannot be read as a compressor"):
        Stage.load(path)


def test_a_file_of_someone_else_is_refused(tmp_path):
    save_file({"weight": WEIGHT}, tmp_path / "other.safetensors")
    with pytest.raises(SmecError, match=r"other.safetensors is a safetensors file, but not one that smec wrote"):
        Stage.load(tmp_path / "other.safetensors")


def test_a_full_disk_leaves_nothing_and_is_told(tmp_path, monkeypatch):
    def fails(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(SmecError, match=r"The disk is full while writing .*compressor.safetensors"):
        stage().save(tmp_path / "compressor.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("schedule", "sizes", "expected"),
    [
        ("joint", (384, 192), ("all",)),
        ("per_size", (384, 192), ("dim384", "dim192")),
        ("chain", (384, 192, 96), ("dim192", "dim96")),
        ("chain", (192, 96), ("dim192", "dim96")),
        ("chain", (384,), ()),
    ],
)
def test_stage_names(schedule, sizes, expected):
    assert stage_names(schedule, sizes, 384) == expected


def test_naming_every_method_imports_no_training_library():
    code = (
        "import sys, smec.config; from smec.compressors import method_named, method_names\n"
        "for name in method_names(): method_named(name).Options\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    told = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "sentence_transformers", "pandas", "matplotlib", "scipy", "faiss", "beir"}
    assert not heavy & set(told.stdout.split())
