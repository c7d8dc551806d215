"""Runs of the workflow on a Slurm cluster whose node dies, whose controller goes away and whose jobs are ended.

`make test-slurm` installs Slurm and runs this; `pytest` alone leaves it out. One run takes each fault in its turn,
because every job costs seconds; the tests then look at what it left and at what the controller remembers. A second,
tiny one has jobs that need more time and memory than they ask for.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.debian_packages import missing
from tests.slurm.cluster import NEEDED, SYSTEM_CONFIGURATION, Cluster
from tests.workflow.running import CORES, NOTHING, ROOT, copy_of_the_repository, environment, snakemake

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing(NEEDED)) or os.geteuid() != 0, reason="`make test-slurm` installs Slurm, as root"),
]

SETTINGS = ("--configfile", "config/smoke.yaml", "tests/slurm/few.yaml")
PROFILE = ("--workflow-profile", "profiles/slurm")
# What fits this cluster and not a real one: two processors instead of eight, and questions at shorter intervals.
SMALL = ("--cores", "2", "--slurm-init-seconds-before-status-checks", "5")
# As the profile lets requests grow, from so little that a first attempt fails within two minutes.
SCARCE = ("--default-resources", "mem_mb=400 * 2 ** (attempt - 1)", "runtime=1 * 2 ** (attempt - 1)")
WITHOUT_ACCOUNTING = "profiles/slurm/no_accounting"
PATIENCE = 600
IN_VAIN = "Falling back to 'sacct'"
"""Said by Snakemake each time it asks a controller that does not answer."""
SAME = ("tables/*", "numbers/*", "metrics/**/*.parquet", "runs/**/compressor.safetensors")


@dataclass(frozen=True)
class Finished:
    """What a run left: its folder, its exit status, what it printed, and its jobs that the controller remembers."""

    folder: Path
    status: int
    told: str
    jobs: list[dict[str, str]]

    def of(self, name):
        """Return the jobs of a rule or of a group, in the order of submission."""
        return [job for job in self.jobs if is_of(job, name)]

    def states(self, name):
        return [job["JobState"] for job in self.of(name)]


def is_of(job, name):
    return job["Comment"].startswith(f"rule_{name}")


class Running:
    """A workflow at work on the cluster."""

    def __init__(self, cluster, folder, settings):
        self.cluster, self.folder = cluster, folder
        self._told = folder / "told.log"
        with self._told.open("w") as told:
            self.process = subprocess.Popen(
                ("snakemake", *PROFILE, *settings, *SMALL),
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

    def told(self):
        return self._told.read_text()

    def wait_for(self, name, but=None):
        """Return the number of a job of that rule or group once it is at work, leaving one out of account."""
        return self._wait(
            lambda: next(
                (
                    number
                    for number, job in self.cluster.jobs().items()
                    if is_of(job, name) and number != but and self.cluster.works_on(number)
                ),
                None,
            )
        )

    def wait_for_a_question_in_vain(self):
        asked = self.told().count(IN_VAIN)
        self._wait(lambda: self.told().count(IN_VAIN) > asked)

    def finished(self):
        """Return what the run left once it ended; its status is None where it does not end."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        told = self.told()
        jobs = [job for job in self.cluster.jobs().values() if f"SLURM run ID: {job['JobName']}" in told]
        return Finished(self.folder, status, told, jobs)

    def _wait(self, found):
        deadline = time.monotonic() + PATIENCE
        while not (answer := found()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.told()
            time.sleep(0.2)
        return answer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    # So that what a time limit ends stops its daemons as well.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started
    assert not SYSTEM_CONFIGURATION.is_symlink() and not started.left_over()


@pytest.fixture(scope="module")
def runs(cluster, tmp_path_factory):
    """The run with every fault, the one with jobs that want more, and, while that waits, the same run without Slurm."""
    folder, alone = (copy_of_the_repository(tmp_path_factory.mktemp(name)) for name in ("disturbed", "undisturbed"))
    with Running(cluster, folder, SETTINGS) as run:
        disturb(cluster, run)
        with Running(cluster, *wanting(tmp_path_factory.mktemp("wanting"))) as other:
            disturbed = run.finished()
            snakemake(alone, "--cores", CORES, *SETTINGS)
            return SimpleNamespace(disturbed=disturbed, undisturbed=alone, wanting=other.finished())


def disturb(cluster, run):
    """Kill the node with a job, stop the controller while a job goes on without it, and cancel a job."""
    run.wait_for("embed")
    cluster.kill_node()
    cluster.wait_until("down*")
    cluster.start_node()
    second = run.wait_for("embed")
    run.wait_for("embed", but=second)
    cluster.stop_controller()
    run.wait_for_a_question_in_vain()
    cluster.start_controller()
    cluster.cancel(run.wait_for("fits"))


def wanting(folder):
    """Lay out the tiny workflow beside a copy of the profile that names the partition where nothing else runs."""
    shutil.copy(ROOT / "tests" / "slurm" / "limits.smk", folder / "Snakefile")
    profile = shutil.copytree(ROOT / "profiles" / "slurm", folder / "profiles" / "slurm")
    (profile / "partitions.yaml").write_text("partitions: {spare: {max_runtime: 1d, max_mem_mb: 4000}}\n")
    return folder, SCARCE


@pytest.fixture
def disturbed(runs):
    return runs.disturbed


def test_the_workflow_ends_well(disturbed):
    assert disturbed.status == 0, disturbed.told
    assert NOTHING in snakemake(disturbed.folder, "--dry-run", *SETTINGS)


def test_its_results_are_those_of_a_local_run_byte_for_byte(runs):
    expected, found = files(runs.undisturbed), files(runs.disturbed.folder)
    assert found.keys() == expected.keys() and len(found) > 20
    assert [name for name in expected if found[name].read_bytes() != expected[name].read_bytes()] == []


def files(folder):
    results = folder / "results"
    return {path.relative_to(results): path for pattern in SAME for path in results.glob(pattern)}


def test_a_job_whose_node_disappeared_runs_again(disturbed):
    """By Slurm alone: Snakemake sent each job once."""
    assert sorted(job["Restarts"] for job in disturbed.of("embed")) == ["0", "1"]
    assert disturbed.states("embed") == ["COMPLETED", "COMPLETED"]


def test_a_job_is_not_lost_while_the_controller_is_away(disturbed):
    """It was at work when the controller went, and Snakemake asked for it meanwhile: see `disturb`."""
    assert IN_VAIN in disturbed.told
    assert disturbed.states("embed") == ["COMPLETED", "COMPLETED"]


def test_a_cancelled_job_is_sent_again_and_gets_twice_the_memory_and_the_time(disturbed):
    assert disturbed.states("fits") == ["CANCELLED", "COMPLETED", "COMPLETED"]
    cancelled, _, again = disturbed.of("fits")
    assert megabytes(again) == 2 * megabytes(cancelled) and minutes(again) == 2 * minutes(cancelled)


def test_a_job_that_takes_too_long_gets_twice_the_time_and_ends(runs):
    assert runs.wanting.status == 0, runs.wanting.told
    assert runs.wanting.states("slow") == ["TIMEOUT", "COMPLETED"]
    assert [minutes(job) for job in runs.wanting.of("slow")] == [1, 2]


def test_a_job_that_takes_too_much_memory_gets_twice_as_much_and_ends(runs):
    assert runs.wanting.states("large") == ["FAILED", "COMPLETED"]
    assert [megabytes(job) for job in runs.wanting.of("large")] == [400, 800]
    (log,) = runs.wanting.folder.glob(".snakemake/slurm_logs/rule_large/*.log")
    assert "exceeded memory limit" in log.read_text()


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
    places = ["fetch", "embed", "mine", "fits", "studies", "report"]
    assert {name: len(disturbed.of(name)) for name in places} == dict(zip(places, (1, 2, 1, 3, 1, 1), strict=True))
    assert len(disturbed.jobs) == 9, "the cancelled one is counted twice"
