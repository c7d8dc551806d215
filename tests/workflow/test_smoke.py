"""The whole workflow on a few documents: what it leaves, that it is finished, and what it costs to find that out."""

import csv
import html
import json
import os
import resource
import shutil

import pytest
import yaml

from smec.runs import name_of
from tests.workflow.running import NOTHING, ROOT, SMOKE, runs_of, shipped, snakemake

pytestmark = pytest.mark.workflow

STUDIES = yaml.safe_load((ROOT / "config/config.yaml").read_text())["studies"]
VIEWS = shipped("smoke.yaml").views
SMALL = yaml.safe_load((ROOT / "config/smoke.yaml").read_text())
EXPERIMENT = SMALL["experiments"][0]
DRY_RUN_SECONDS = 4


@pytest.mark.parametrize("view", VIEWS)
def test_the_table_has_every_method_at_every_size(smoke, view):
    with (smoke / f"results/tables/{view}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["method"], int(row["dim"])) for row in rows if row["metric"] == "ndcg@10" and _is_run(row)}
    assert found >= {(method, size) for method in VIEWS[view].methods for size in EXPERIMENT["sizes"]}
    assert all(0 <= float(row["mean"]) <= 1 for row in rows if row["mean"])


def _is_run(row):
    return row.get("reference", "False") != "True"


@pytest.mark.parametrize("view", [*VIEWS, *STUDIES])
def test_tables_and_figures_are_there_in_every_format(smoke, view):
    starts = {"tables/{}.md": b"", "tables/{}.tex": b"", "figures/{}.pdf": b"%PDF", "figures/{}.png": b"\x89PNG"}
    for name, start in starts.items():
        content = (smoke / "results" / name.format(view)).read_bytes()
        assert len(content) > 500 and content.startswith(start), name


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_leaves_what_it_measured_and_what_may_be_quoted(smoke, study):
    with (smoke / f"results/analysis/{study}.csv").open(newline="") as file:
        assert list(csv.DictReader(file))
    told = json.loads((smoke / f"results/numbers/{study}.json").read_text())
    assert told["title"] == STUDIES[study]["title"] and told["caption"] and told["findings"] and told["numbers"]


def test_every_stage_has_a_record_of_what_it_was_asked_for(smoke):
    stages = sorted((smoke / "results/runs").glob("*/*/*/*/*/compressor.safetensors"))
    assert {name_of(path.parts[-4]) for path in stages} == runs_of(shipped("smoke.yaml"))
    for stage in stages:
        record = json.loads(stage.with_name("record.json").read_text())
        assert record["spec"]["seed"] == 0
        assert record["spec"]["sizes"] == EXPERIMENT["sizes"]
        assert record["wall_clock_seconds"] > 0 and record["peak_memory_bytes"] > 0
        assert {"python", "numpy", "torch", "smec"} <= record["versions"].keys()


def test_every_job_leaves_a_log_and_nothing_half_written(smoke):
    left = [path.name for path in (smoke / "results").rglob("*") if path.is_file()]
    assert not [name for name in left if "tmp" in name or name.startswith(("checkpoint", "."))]
    logs = [path.relative_to(smoke / "results/logs").parts[0] for path in (smoke / "results/logs").rglob("*.log")]
    rules = {"fetch", "embed", "mine", "train", "evaluate", "table", "figure", "analyse", "render"}
    assert set(logs) - {"report.log"} == rules


def test_a_second_call_has_nothing_to_do_and_says_so_quickly(smoke):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert NOTHING in snakemake(smoke, "--dry-run", *SMOKE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert worked < DRY_RUN_SECONDS, "seconds of processor time, which other work on the machine does not stretch"


def test_a_report_is_made_without_the_network(smoke, tmp_path):
    report = tmp_path / "report.html"
    snakemake(smoke, *SMOKE, "--report", str(report))
    text = report.read_text()
    assert all(f"{name}.png" in text and f"{name}.csv" in text for name in (*VIEWS, *STUDIES))
    assert "Error loading caption" not in text and all(study["title"] in text for study in STUDIES.values())
    assert "<script src=" not in text and '<link href="http' not in text


def test_the_page_shows_every_view_and_every_study(smoke):
    text = (smoke / "results/report.html").read_text()
    shown = text.count("<img ")
    assert shown == text.count("data:image/png;base64,") == len(VIEWS) + len(STUDIES)
    titles = [view.title for view in VIEWS.values()] + [study["title"] for study in STUDIES.values()]
    assert all(title in html.unescape(text) for title in titles)


def test_touching_every_file_reruns_nothing(smoke):
    """What a checkout does to the times of files."""
    for folder in ("smec", "workflow", "config", "envs", "profiles"):
        for path in (smoke / folder).rglob("*"):
            os.utime(path)
    os.utime(smoke / "Snakefile")
    assert NOTHING in snakemake(smoke, "--dry-run", *SMOKE)


def test_the_same_files_elsewhere_are_finished_as_well(smoke, tmp_path):
    """No file names the folder in which it was made."""
    moved = tmp_path / "moved"
    shutil.copytree(smoke, moved, symlinks=True)
    assert NOTHING in snakemake(moved, "--dry-run", *SMOKE)
