"""A killed run goes on at the next call, and what it then leaves is what an undisturbed run leaves, byte by byte.

A second run in the same folder is refused, while the first is at work and after it was killed, until `--unlock`.
"""

import os
import re
import shutil
import signal
import subprocess
import time

import psutil
import pytest
from filelock import FileLock

from smec.results_lock import NAME
from tests.workflow.running import CORES, NOTHING, SMOKE, environment, snakemake, tool

pytestmark = pytest.mark.workflow

AGAIN = ("smec", "smec_plus", "mrl")
PATIENCE = 120


@pytest.fixture
def unfinished(smoke, tmp_path):
    """A copy of the finished smoke run in which some methods have still to be trained."""
    folder = tmp_path / "unfinished"
    shutil.copytree(smoke, folder, symlinks=True)
    for method in AGAIN:
        for kind in ("runs", "metrics"):
            shutil.rmtree(folder / f"results/{kind}/pydocs_smoke/minilm/{method}")
    shutil.rmtree(folder / "results/tables")
    shutil.rmtree(folder / "results/figures")
    return folder


def is_training(run):
    try:
        jobs = psutil.Process(run.pid).children(recursive=True)
        return any(job.cmdline()[1:4] == ["-m", "smec", "train"] for job in jobs)
    except psutil.Error:  # one of them has just ended
        return False


def killed_while_training(folder):
    command = ("snakemake", "--cores", CORES, *SMOKE)
    log = (folder / "killed.log").open("w")
    run = subprocess.Popen(
        command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_training(run):
            assert run.poll() is None and time.monotonic() < deadline, (folder / "killed.log").read_text()
            time.sleep(0.05)
        assert_refused(folder)  # which takes a while, so that the first is at work rather than starting
        assert run.poll() is None, (folder / "killed.log").read_text()
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        log.close()


def assert_refused(folder):
    """A second workflow says why it does not start, and what to do."""
    status, told = tool(folder, "snakemake", "--cores", "1", *SMOKE)
    assert status == 1 and "Directory cannot be locked" in told and str(folder) in told and "--unlock" in told
    assert not re.search("^rule ", told, re.MULTILINE)


def test_two_checkouts_that_share_their_results_do_not_work_there_at_once(smoke, tmp_path):
    """Snakemake's own lock is in the folder of each; the results are another one, which both lead to."""
    folder = tmp_path / "second"
    shutil.copytree(smoke, folder, symlinks=True, ignore=shutil.ignore_patterns("results"))
    shutil.copytree(smoke / "results", tmp_path / "results")
    (tmp_path / "results/report.html").unlink()
    (folder / "results").symlink_to(tmp_path / "results")
    with FileLock(tmp_path / "results" / NAME):
        status, told = tool(folder, "snakemake", "--cores", "1", *SMOKE)
        assert status == 1 and "Another workflow is at work in" in told and str(tmp_path / "results") in told
        assert not (tmp_path / "results/report.html").exists()
    snakemake(folder, "--cores", CORES, *SMOKE)
    assert (tmp_path / "results/report.html").exists()


def files(folder):
    """The results; what a job that was killed leaves under a temporary name begins with a dot."""
    wanted = ("runs/**/compressor.safetensors", "metrics/**/*.parquet", "tables/[!.]*", "figures/[!.]*")
    return {path.relative_to(folder): path for pattern in wanted for path in (folder / "results").glob(pattern)}


def test_a_killed_run_goes_on_and_leaves_the_same_bytes(smoke, unfinished):
    killed_while_training(unfinished)
    assert files(unfinished).keys() < files(smoke).keys()
    assert_refused(unfinished)
    snakemake(unfinished, "--unlock", *SMOKE)
    told = snakemake(unfinished, "--cores", CORES, *SMOKE)
    assert "rule embed:" not in told and "rule fetch:" not in told
    assert NOTHING in snakemake(unfinished, "--dry-run", *SMOKE)
    expected, found = files(smoke), files(unfinished)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name].read_bytes() != expected[name].read_bytes()] == []
    assert not list((unfinished / "results").rglob("checkpoint*"))
