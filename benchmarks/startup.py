"""How long it takes before work begins: `python -m benchmarks startup`.

Fresh interpreters, with compiled bytecode, against one that does nothing. `snakemake -n` reads the results folder as it
is; the target holds for a built state.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.common import Comparison, compare, want_ratio, want_seconds
from smec.forkserver import starting

TRAINING_IMPORTS = "import smec.jobs.train, smec.smrl"
"""What a job that trains has imported when the first batch is drawn."""

BARE = [sys.executable, "-c", "pass"]


def measure(toy: bool = False) -> list[Comparison]:
    """Time the command line, the imports of a training job and a dry run."""
    rounds = 1 if toy else 5
    rows = _against_bare("python -m smec --help", [sys.executable, "-m", "smec", "--help"], rounds, 0.5)
    if toy:
        return rows
    rows += _against_bare("imports of a training job", [sys.executable, "-c", TRAINING_IMPORTS], rounds, 2.0)
    rows += _forked(rounds)
    dry_run = [sys.executable, "-m", "snakemake", "-n", "--nolock", "--quiet", "all"]
    return rows + _against_bare("snakemake -n", dry_run, rounds, 4.0)


def _against_bare(name: str, command: Sequence[str], rounds: int, seconds: float) -> list[Comparison]:
    return want_seconds(compare((name, running(command)), [("python -c pass", running(BARE))], rounds), seconds)


def _forked(rounds: int) -> list[Comparison]:
    """Time a training job that is forked where its imports are loaded, up to its first line of work."""
    before = os.environ.copy()
    started = starting.start(("fit",))
    os.environ.update(starting.ONE_THREAD)
    forked, alone = [sys.executable, "-m", "smec", "train", "--help"], [sys.executable, "-c", TRAINING_IMPORTS]
    try:
        return want_ratio(
            compare(("a forked training job", running(forked)), [("imports", running(alone))], rounds), 0.5
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
        for process in started:
            process.communicate()


def running(command: Sequence[str]) -> Callable[[], object]:
    """Return a call that runs a command to its end, quietly, in an environment that keeps bytecode."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)
