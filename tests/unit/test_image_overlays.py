"""The overlays for images that a user provides: valid once the data are where they say."""

import csv
import re
import shutil
from pathlib import Path

import pytest
import yaml

from smec import backbones, config, datasets
from smec.datasets import reading
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


@pytest.mark.parametrize(("name", "searched"), OVERLAYS.items())
def test_the_overlay_is_valid(name, searched, tmp_path, monkeypatch):
    values = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, values["datasets"])
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "emoji_clip.json", tmp_path / "config")
    loaded = config.load(merged(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), values))
    assert [e.dataset for e in loaded.experiments] == searched and loaded.studies == {}


def test_the_backbone_that_a_comment_names_is_not_refused():
    text = " ".join(line.lstrip("# ") for line in (ROOT / "config" / "emoji_captions.yaml").read_text().splitlines())
    (named,) = re.findall(r"\{kind: open_clip.*?\}", text)
    backbones.parse(yaml.safe_load(named)).check()


def test_a_missing_file_of_vectors_is_told(tmp_path, monkeypatch):
    values = yaml.safe_load((ROOT / "config" / "emoji.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, values["datasets"])
    Path(values["datasets"]["emoji"]["vectors"][1]).unlink()
    with pytest.raises(
        SmecError, match=r"datasets\.emoji\.vectors .* names .*mnv2_imagenet\.npy, which does not exist"
    ):
        config.load(merged(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), values))


EACH_DATASET = [(overlay, dataset) for overlay, named in OVERLAYS.items() for dataset in named]


@pytest.fixture
def settings_of(tmp_path, monkeypatch):
    """The settings of a dataset of an overlay, in a folder with the real data where the overlay says."""

    def found(overlay, dataset):
        settings = yaml.safe_load((ROOT / "config" / f"{overlay}.yaml").read_text())["datasets"][dataset]
        folder = Path(settings["csv"]).parent
        real = ROOT.parent / "shared" / folder
        if not (real / "images.csv").is_file():
            pytest.skip(f"no data in ../shared/{folder}")
        (tmp_path / folder).parent.mkdir()
        (tmp_path / folder).symlink_to(real)
        monkeypatch.chdir(tmp_path)
        return settings

    return found


@pytest.mark.parametrize(("overlay", "dataset"), EACH_DATASET)
def test_the_images_of_the_overlay_are_found_where_it_says(overlay, dataset, settings_of, tmp_path):
    """All that the list names are there, and some hundred are decoded, whether or not vectors would stand in."""
    settings = settings_of(overlay, dataset)
    with Path(settings["csv"]).open(newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert [row["file"] for row in listed if not (Path(settings["path"]) / row["file"]).is_file()] == []
    with (tmp_path / "some.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, listed[0])
        writer.writeheader()
        # Neighbours in the list are of one class or one emoji.
        writer.writerows(row for place, row in enumerate(listed) if place % 80 < 4)
    datasets.prepare({**settings, "csv": "some.csv", "vectors": [], "faults": "skip"}, tmp_path / "set")
    manifest = reading.manifest(tmp_path / "set")
    assert manifest["counts"]["corpus"] > 50 and "unreadable" not in manifest.get("faults", {})


@pytest.mark.parametrize("name", ["grocery", "emoji"])
def test_the_overlay_is_prepared_from_vectors(name, settings_of, tmp_path):
    datasets.prepare(settings_of(name, name), tmp_path / "set")
    counts = reading.manifest(tmp_path / "set")["counts"]
    assert counts["queries"]["test"] == {"grocery": 2485, "emoji": 226}[name]
