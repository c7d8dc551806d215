"""From drawings to a chart beside the paper's, with a CLIP that is trained on the way: a small config/glyphs.yaml."""

import csv
import html
import json

import pytest
import yaml

from tests.workflow.running import CORES, NOTHING, copy_of_the_repository, shipped, snakemake

pytestmark = pytest.mark.workflow

SETS = ("glyphs", "glyph_names", "glyph_naming")
SIZES = [128, 16]
VIEWS = {
    "quick": {"title": "Quick", "methods": ["truncation", "smec"]},
    "image": {"methods": ["truncation", "smec"], "tested": "smec"},
}
TINY = {
    "datasets": {name: {"max_characters": 40} for name in SETS}
    | {"glyph_pretraining": {"max_characters": 40, "documents_per_character": 3}},
    "backbones": {"glyph_clip": {"training": {"steps": 3, "batch_size": 8}}},
    "experiments": [{"dataset": name, "backbone": "glyph_clip", "sizes": SIZES} for name in SETS],
    "training": {"epochs": 1, "batch_size": 16},
    "seeds": [0],
    "views": dict.fromkeys(shipped().views) | VIEWS,
}


@pytest.fixture(scope="module")
def overlays(tmp_path_factory):
    path = tmp_path_factory.mktemp("overlay") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return "--configfile", "config/glyphs.yaml", str(path)


@pytest.fixture(scope="module")
def images(tmp_path_factory, overlays):
    folder = copy_of_the_repository(tmp_path_factory.mktemp("images"))
    snakemake(folder, "--cores", CORES, *overlays)
    return folder


def test_every_task_is_scored(images):
    with (images / "results/tables/quick.csv").open(newline="") as file:
        found = {(row["dataset"], row["method"], int(row["dim"])) for row in csv.DictReader(file) if row["dim"]}
    assert found >= {(name, method, size) for name in SETS for method in ("truncation", "smec") for size in SIZES}


def test_the_chart_and_the_report_have_the_papers_curves_and_the_quality_of_the_clip(images):
    for kind in ("pdf", "png"):
        assert (images / f"results/figures/image.{kind}").stat().st_size > 10_000
    with (images / "results/tables/image.csv").open(newline="") as file:
        assert {row["dataset"] for row in csv.DictReader(file)} == {"glyphs"}
    text = html.unescape((images / "results/report.html").read_text())
    assert "Last panel: the curves of arXiv 2510.12474, Products-10K, LLM2CLIP" in text
    assert "The backbone glyph_clip" in text and "nDCG@10 before and after its training" in text


def test_the_clip_has_a_record_and_is_trained_once(images):
    record = json.loads((images / "results/models/glyph_clip/record.json").read_text())
    assert len(record["loss"]) == 3 and set(record["ndcg@10"]) == {"trained", "untrained"}
    keys = [json.loads(path.read_text())["key"] for path in (images / "results/embeddings").rglob("manifest.json")]
    assert len(keys) == 6 and len({key["weights"] for key in keys}) == 1


def test_nothing_is_left_to_do(images, overlays):
    assert NOTHING in snakemake(images, "--dry-run", *overlays)


def test_new_weights_encode_anew(images, overlays):
    """The weights are an input of the embed step; a copy of them with a later date is a new model to Snakemake."""
    architecture = images / "config/glyph_clip.json"
    text = architecture.read_text()
    architecture.write_text(text.replace('"layers": 3', '"layers": 2'))
    told = snakemake(images, "--dry-run", *overlays)
    architecture.write_text(text)
    assert "rule pretrain:" in told and told.count("rule embed:") >= 6
