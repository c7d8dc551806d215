"""The share of the last `snakemake` run that was spent outside real work: `python -m benchmarks overhead`.

A job works from the moment that its code is imported to the moment that its files are written. Its log ends with the
seconds since the command line was read (`smec.cli: train took 12.34 s`); the seconds that the imports of its verb take,
timed here in fresh interpreters, are taken off. A job that holds several cores counts that many times.

    share outside = 1 - sum over jobs of (work x cores held) / (cores of the run x its wall-clock)

So starting Python, imports, Snakemake between and around jobs, and cores that stand idle all count as outside.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Comparison, single, want_ratio
from benchmarks.startup import TRAINING_IMPORTS, running

MOST = 0.15
IMPORTS = {"train": TRAINING_IMPORTS}
"""What a verb imports while its clock runs, where it is more than `smec.jobs.{verb}`."""

TOOK = re.compile(r"smec\.cli: (\w+) took ([\d.]+) s")
ELAPSED = re.compile(r"Elapsed time: (?:(\d+) days?, )?(\d+):(\d+):([\d.]+)")
CORES = re.compile(r"Provided cores: (\d+)")
FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
ALL_CORES = ("embed",)
"""Rules that ask for every core of the run."""


@dataclass(frozen=True)
class Run:
    """One run of the workflow.

    Attributes:
        cores: that it was given.
        seconds: wall-clock.
        finished: the rule of each job that it ran.
        began: seconds since the epoch.
    """

    cores: int
    seconds: float
    finished: tuple[str, ...]
    began: float


def measure(toy: bool = False, folder: Path = Path()) -> list[Comparison]:
    """Return one row: core-seconds outside work against all core-seconds of the last run in `folder`.

    An empty list where no finished run that ran a job is on record.
    """
    runs = [run for path in sorted((folder / ".snakemake/log").glob("*.snakemake.log")) if (run := read_run(path))]
    if not runs:
        return []
    run = runs[-1]
    imports = (
        dict.fromkeys(run.finished, 0.0)
        if toy
        else {verb: import_seconds(verb) for verb in set(run.finished) - {"all"}}
    )
    total = run.cores * run.seconds
    worked = work(folder / "results/logs", run, imports)
    row = single(f"outside work, {len(run.finished)} jobs", "all core-seconds of the run", total - worked, total)
    return want_ratio([row], MOST)


def read_run(log: Path) -> Run | None:
    """Return the run that a log of Snakemake tells of; None where it did not finish or had nothing to do."""
    text = log.read_text(encoding="utf-8", errors="replace")
    elapsed, cores, finished = ELAPSED.search(text), CORES.search(text), tuple(FINISHED.findall(text))
    if elapsed is None or cores is None or not finished or "WorkflowError" in text:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in elapsed.groups())
    spent = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return Run(int(cores[1]), spent, finished, began=log.stat().st_mtime - spent)


def work(logs: Path, run: Run, imports: dict[str, float]) -> float:
    """Return the core-seconds of work of all jobs of a run, by the logs that it has written."""
    total = 0.0
    for path in logs.glob("*/*.log"):
        took = TOOK.findall(path.read_text(encoding="utf-8", errors="replace"))
        if took and path.stat().st_mtime >= run.began:
            verb, seconds = took[-1]
            held = run.cores if verb in ALL_CORES else 1
            total += held * max(0.0, float(seconds) - imports.get(verb, 0.0))
    return total


def import_seconds(verb: str, rounds: int = 3) -> float:
    """Return how long the imports of a verb take beyond those of the command line; the least of `rounds`."""
    imports = IMPORTS.get(verb, f"import smec.jobs.{verb}")
    program = f"import smec.cli, time; began = time.perf_counter()\n{imports}\nprint(time.perf_counter() - began)"
    command = [sys.executable, "-c", program]
    running(command)()
    return min(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds))
