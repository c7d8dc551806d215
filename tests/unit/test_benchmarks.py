"""The benchmarks at toy size: that they run and fill their table, not what they find."""

import importlib
import os
import warnings

import pytest

from benchmarks import __main__ as command_line
from benchmarks import common, overhead

TOY_ROWS = {"search": 4, "images": 1, "memory_step": 4, "wide_memory": 2, "pca": 2, "scale": 8, "startup": 1, "ware": 2}


@pytest.mark.parametrize("name", sorted(TOY_ROWS))
def test_each_benchmark_runs(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers
        rows = importlib.import_module(f"benchmarks.{name}").measure(toy=True)
    assert len(rows) == TOY_ROWS[name]
    for row in rows:
        assert row.lowest <= row.ratio <= row.highest
        assert row.ours_seconds > 0 and row.peer_seconds > 0
        assert row.target and row.met in ("yes", "no")


def test_every_benchmark_is_listed():
    modules = {name for name in command_line.NAMES if hasattr(importlib.import_module(f"benchmarks.{name}"), "measure")}
    assert modules == set(command_line.NAMES)


def test_a_row_replaces_its_predecessor_and_leaves_the_others(tmp_path):
    common.record("all", common.want_ratio([common.single("a", "b", 1.0, 2.0)], 1.0), tmp_path)
    common.record("all", common.want_ratio([common.single("c", "d", 3.0, 2.0)], 1.0), tmp_path)
    shown = common.record("all", common.want_ratio([common.single("a", "b", 4.0, 2.0)], 1.0), tmp_path)
    written = (tmp_path / "all.csv").read_text().splitlines()
    assert len(written) == 3 and "ratio <= 1" in shown
    assert [line.split(",")[:5] for line in written[1:]] == [
        ["c", "d", "ratio <= 1", "no", "1.5"],
        ["a", "b", "ratio <= 1", "no", "2"],
    ]
    assert (tmp_path / "all.md").read_text().count("\n") == 4


def test_the_median_of_alternating_rounds():
    calls = []
    (row,) = common.compare(("ours", lambda: calls.append("o")), [("peer", lambda: calls.append("p"))], rounds=3)
    assert calls == ["o", "p"] * 4 and row.rounds == 3


def snakemake_run(folder, elapsed="0:01:40.500000", extra=""):
    log = folder / ".snakemake/log/2026-01-01T000000.000000.snakemake.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    finished = "Finished jobid: 3 (Rule: train)\nFinished jobid: 1 (Rule: embed)\n"
    log.write_text(f"Provided cores: 2\n{finished}{extra}Elapsed time: {elapsed}\n")
    return log


def job_log(folder, name, text):
    path = folder / "results/logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_overhead_is_what_the_jobs_do_not_account_for(tmp_path):
    snakemake_run(tmp_path)
    job_log(tmp_path, "train/a.log", "INFO x: noise\nINFO smec.cli: train took 60.25 s\n")
    job_log(tmp_path, "embed/b.log", "INFO smec.cli: embed took 50.00 s\n")
    old = job_log(tmp_path, "train/of_an_earlier_run.log", "INFO smec.cli: train took 500.00 s\n")
    os.utime(old, (0, 0))
    (row,) = overhead.measure(toy=True, folder=tmp_path)
    assert row.peer_seconds == pytest.approx(201.0)
    assert row.ours_seconds == pytest.approx(201.0 - 60.25 - 2 * 50.0)
    assert row.ratio == pytest.approx(40.75 / 201.0) and row.met == "no"


@pytest.mark.parametrize("extra", ["WorkflowError:\n", "cut"])
def test_overhead_passes_over_runs_that_failed(tmp_path, extra):
    log = snakemake_run(tmp_path, extra=extra)
    if extra == "cut":
        log.write_text("Provided cores: 2\n")
    assert overhead.measure(toy=True, folder=tmp_path) == []


def test_days_count():
    assert overhead.ELAPSED.search("Elapsed time: 1 day, 2:03:04.5").groups() == ("1", "2", "03", "04.5")


def test_imports_of_a_verb_are_timed():
    assert 0 < overhead.import_seconds("figure", rounds=1) < 60
