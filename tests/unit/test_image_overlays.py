"""The overlays for images that a user provides: valid once the data are where they say."""

import shutil
from pathlib import Path

import pytest
import yaml

from smec import config
from smec.errors import SmecError
from tests.stand_ins import lay_out

ROOT = Path(__file__).parents[2]


def merged(lower, upper):
    """As Snakemake lays one file over another: mappings are merged, all else is replaced."""
    both = {key: merged(lower[key], value) if isinstance(value, dict) and isinstance(lower.get(key), dict) else value
            for key, value in upper.items()}  # fmt: skip
    return {**lower, **both}


OVERLAYS = {
    "grocery": ["grocery"],
    "emoji": ["emoji"],
    "emoji_captions": ["emoji_names", "emoji_naming", "emoji_drawings"],
}


@pytest.mark.parametrize(("name", "datasets"), OVERLAYS.items())
def test_the_overlay_is_valid(name, datasets, tmp_path, monkeypatch):
    values = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, values["datasets"])
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "emoji_clip.json", tmp_path / "config")
    loaded = config.load(merged(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), values))
    assert [e.dataset for e in loaded.experiments] == datasets and loaded.studies == {}


def test_a_missing_file_of_vectors_is_told(tmp_path, monkeypatch):
    values = yaml.safe_load((ROOT / "config" / "emoji.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, values["datasets"])
    Path(values["datasets"]["emoji"]["vectors"][1]).unlink()
    with pytest.raises(
        SmecError, match=r"datasets\.emoji\.vectors .* names .*mnv2_imagenet\.npy, which does not exist"
    ):
        config.load(merged(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), values))
