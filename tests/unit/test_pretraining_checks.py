"""CLIPs that are trained here: a folder for each, and none tests on what it is trained on."""

import copy
import json

import pytest

from smec import config
from smec.errors import SmecError
from tests.tiny_clip import ARCHITECTURE, WIDTH
from tests.unit.test_config import GOOD


@pytest.fixture
def configured(tmp_path):
    """A configuration with one experiment on `tested`, whose backbone is trained on `source`."""
    (tmp_path / "tiny.json").write_text(json.dumps({"model_cfg": ARCHITECTURE}))
    clip = {"kind": "trained_clip", "architecture": str(tmp_path / "tiny.json"), "dataset": "source", "dim": WIDTH}

    def values(tested, source, models=("one",)):
        return copy.deepcopy(GOOD) | {
            "datasets": {"tested": tested, "source": source},
            "backbones": {f"clip_{i}": clip | {"model": f"./results/models/{m}"} for i, m in enumerate(models)},
            "experiments": [{"dataset": "tested", "backbone": "clip_0", "sizes": [WIDTH, 8]}],
        }

    return values


GLYPHS = {"kind": "glyphs"}
SOURCE = {"kind": "glyphs", "task": "text_to_image"}


def test_no_two_are_trained_into_one_folder(configured):
    assert config.load(configured(GLYPHS, SOURCE, ("one", "two")))
    told = r"backbones\.clip_0 and backbones\.clip_1 are both trained into the folder results/models/one, .*`model` of"
    for same in ("one", "one/"):
        with pytest.raises(SmecError, match=told):
            config.load(configured(GLYPHS, SOURCE, ("one", same)))


@pytest.mark.parametrize(
    ("tested", "source"),
    [
        ({}, {}),
        ({"seed": 1, "distortion": 0.5, "max_characters": 100}, {"validation_fraction": 0.2}),
        ({"test_fraction": 0.2}, {"test_fraction": 0.3}),
        ({"test_fraction": 0.3}, {"test_fraction": 0.2, "validation_fraction": 0.1}),
        ({"test_fraction": 0.5}, {"part": "pretraining"}),
        ({"test_fraction": 0.5, "pretraining_share": 0.6}, {"part": "pretraining"}),
        ({"pretraining_share": 0.3}, {"part": "pretraining"}),
    ],
)
def test_characters_of_the_test_that_are_left_out_are_fine(configured, tested, source):
    assert config.load(configured(GLYPHS | tested, SOURCE | source))


@pytest.mark.parametrize(
    ("tested", "source"),
    [
        ({"test_fraction": 0.5}, {}),
        ({}, {"test_fraction": 0.05, "validation_fraction": 0.05}),
        ({"test_fraction": 0.5, "pretraining_share": 0.5}, {"part": "pretraining"}),
        ({"test_fraction": 0.5, "part": "pretraining"}, {"pretraining_share": 0.5}),
    ],
)
def test_characters_of_the_test_that_are_trained_on_are_told(configured, tested, source):
    told = r"experiment on tested with clip_0 would .*: datasets\.tested and datasets\.source, .*`test_fraction`"
    with pytest.raises(SmecError, match=told):
        config.load(configured(GLYPHS | tested, SOURCE | source))


@pytest.fixture
def folder(tmp_path):
    """Settings of an image folder with a list, which has to be there."""
    (tmp_path / "list.csv").write_text("file,label,vendor\n")
    (tmp_path / "other.csv").write_text("file,label,vendor\n")
    return {"kind": "image_folder", "path": str(tmp_path), "csv": str(tmp_path / "list.csv"), "caption": "{label}"}


CAPTIONED = {"task": "text_to_image"}
A, B = {"vendor": ["a"]}, {"vendor": ["b"]}


@pytest.mark.parametrize(
    ("tested", "source"),
    [
        ({}, {}),
        ({"caption": "a {label}"}, {}),
        ({"split_column": "split"}, {"split_column": "split", "label_column": None}),
        ({"test_fraction": 0.4, "query_where": A, "corpus_where": A}, {"corpus_where": B}),
        ({"test_fraction": 0.4, "task": "text_to_image", "corpus_where": A}, {"corpus_where": B}),
        ({"test_fraction": 0.4, "csv": "other.csv"}, {}),
    ],
)
def test_folders_whose_test_may_be_left_out_are_fine(configured, folder, tmp_path, tested, source):
    if "csv" in tested:
        tested = tested | {"csv": str(tmp_path / tested["csv"])}
    assert config.load(configured(folder | tested, folder | CAPTIONED | source))


@pytest.mark.parametrize(
    ("tested", "source", "told"),
    [
        ({"test_fraction": 0.4}, {}, r"list the same images, and the first tests on a share of 0\.4 .* than 0\.3"),
        ({"label_column": "vendor"}, {}, r"differ in `label_column`, .* Make it equal"),
        ({"split_column": "split"}, {}, r"differ in `split_column`"),
        ({"split_column": "split", "test_fraction": 0.4}, {"split_column": "split"}, r"Make `test_fraction` equal"),
        ({"task": "image_to_text", "caption": "a {label}"}, {}, r"differ in `caption`"),
        ({"test_fraction": 0.4, "query_where": A}, {"corpus_where": B}, r"list the same images"),
        ({"test_fraction": 0.4, "query_where": A, "corpus_where": A}, {"corpus_where": A}, r"list the same images"),
        (
            {"label_column": None, "caption": "a {label}", "task": "image_to_text"},
            {"label_column": None},
            r"differ in `caption`",
        ),
    ],
)
def test_folders_whose_test_is_trained_on_are_told(configured, folder, tested, source, told):
    with pytest.raises(SmecError, match=told):
        config.load(configured(folder | tested, folder | CAPTIONED | source))
