"""One run of the workflow on a Slurm cluster whose node and whose controller die, and of which a job is cancelled.

`make test-slurm` installs Slurm and runs this; `pytest` alone leaves it out. The run takes each fault in its turn,
because every job costs seconds; the tests then look at what it left and at what the controller remembers.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm.cluster import SYSTEM_CONFIGURATION, Cluster, missing
from tests.workflow.running import CORES, NOTHING, copy_of_the_repository, environment, snakemake

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()) or os.geteuid() != 0, reason="`make test-slurm` installs Slurm, as root"),
]

SETTINGS = ("--configfile", "config/smoke.yaml", "tests/slurm/few.yaml")
PROFILE = ("--workflow-profile", "profiles/slurm")
# What fits this cluster and not a real one: two processors instead of eight, and questions at shorter intervals.
SMALL = ("--cores", "2", "--slurm-init-seconds-before-status-checks", "5")
WITHOUT_ACCOUNTING = "profiles/slurm/no_accounting"
PATIENCE = 600
OUTAGE = 20
"""Seconds without a controller: longer than Snakemake waits between its first questions."""
SAME = ("tables/*", "numbers/*", "metrics/**/*.parquet", "runs/**/compressor.safetensors")


@dataclass(frozen=True)
class Finished:
    """What a run left: its folder, its exit status, what it printed, and the jobs that the controller remembers."""

    folder: Path
    status: int
    told: str
    jobs: list[dict[str, str]]

    def of(self, name):
        """Return the jobs of a rule or of a group, in the order of submission."""
        return [job for job in self.jobs if is_of(job, name)]


def is_of(job, name):
    return job["Comment"].startswith(f"rule_{name}")


class Running:
    """A workflow at work on the cluster."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.told = folder / "told.log"
        with self.told.open("w") as told:
            self.process = subprocess.Popen(
                ("snakemake", *PROFILE, *SETTINGS, *SMALL),
                cwd=folder,
                env=environment()
                | {"PATH": os.pathsep.join((str(folder / WITHOUT_ACCOUNTING), environment()["PATH"]))},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Kill it where it is not done: a Snakemake that lost track of its jobs ignores SIGTERM."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait_for(self, name, but=None):
        """Return the number of a job of that rule or group once it is at work, leaving one out of account."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for number, job in self.cluster.jobs().items():
                if is_of(job, name) and number != but and self.cluster.works_on(number):
                    return number
            assert self.process.poll() is None and time.monotonic() < deadline, self.told.read_text()
            time.sleep(0.2)

    def status(self):
        """Return the exit status, None where the run does not end."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    # So that what a time limit ends stops its daemons as well.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started
    assert not SYSTEM_CONFIGURATION.is_symlink() and not started.left_over()


@pytest.fixture(scope="module")
def disturbed(cluster, tmp_path_factory):
    """The run on the cluster, with every fault."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("disturbed"))
    with Running(cluster, folder) as run:
        run.wait_for("embed")
        cluster.kill_node()
        cluster.wait_until("down*")
        cluster.start_node()
        at_work = run.wait_for("fits")
        cluster.kill_controller()
        time.sleep(OUTAGE)
        cluster.start_controller()
        cluster.cancel(run.wait_for("fits", but=at_work))
        status = run.status()
        return Finished(folder, status, run.told.read_text(), list(cluster.jobs().values()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same run on this machine alone."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("undisturbed"))
    snakemake(folder, "--cores", CORES, *SETTINGS)
    return folder


def test_the_workflow_ends_well(disturbed):
    assert disturbed.status == 0, disturbed.told
    assert NOTHING in snakemake(disturbed.folder, "--dry-run", *SETTINGS)


def test_its_results_are_those_of_a_local_run_byte_for_byte(disturbed, undisturbed):
    expected, found = files(undisturbed), files(disturbed.folder)
    assert found.keys() == expected.keys() and len(found) > 20
    assert [name for name in expected if found[name].read_bytes() != expected[name].read_bytes()] == []


def files(folder):
    results = folder / "results"
    return {path.relative_to(results): path for pattern in SAME for path in results.glob(pattern)}


def test_a_job_whose_node_disappeared_runs_again(disturbed):
    """By Slurm alone: Snakemake sent each job once."""
    jobs = disturbed.of("embed")
    assert sorted(job["Restarts"] for job in jobs) == ["0", "1"]
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}


def test_a_job_is_not_lost_while_the_controller_is_away(disturbed):
    assert "Falling back to 'sacct'" in disturbed.told, "Snakemake asked meanwhile"
    assert sorted(job["JobState"] for job in disturbed.of("fits")) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert {job["Restarts"] for job in disturbed.of("fits")} == {"0"}


def test_a_cancelled_job_is_sent_again_and_gets_twice_the_memory_and_the_time(disturbed):
    (cancelled,) = [job for job in disturbed.of("fits") if job["JobState"] == "CANCELLED"]
    *_, again = disturbed.of("fits")
    assert again["JobState"] == "COMPLETED"
    assert megabytes(again) == 2 * megabytes(cancelled) and minutes(again) == 2 * minutes(cancelled)


def megabytes(job):
    asked = job["MinMemoryNode"]
    return float(asked[:-1]) * {"M": 1, "G": 1024}[asked[-1]]


def minutes(job):
    days, _, clock = job["TimeLimit"].rpartition("-")
    hours, minutes, _ = map(int, clock.split(":"))
    return (int(days or 0) * 24 + hours) * 60 + minutes


def test_embedding_alone_asks_for_the_gpu(disturbed):
    asking = [job for job in disturbed.jobs if "gpu" in job.get("TresPerJob", "")]
    assert asking == disturbed.of("embed")
    assert {job["Partition"] for job in asking} == {"gpu"}
    assert {job["Partition"] for job in disturbed.jobs if job not in asking} == {"cpu"}


def test_short_jobs_share_a_place_in_the_queue(disturbed):
    assert "28 of 28 steps (100%) done" in disturbed.told
    assert len(disturbed.jobs) == 9, "the cancelled one is counted twice"
