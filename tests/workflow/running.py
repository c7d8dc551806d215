"""Runs Snakemake in copies of the repository, so that the results of the checkout are never touched."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from snakemake.utils import update_config

from smec import config, studies
from smec.runs import name_of

ROOT = Path(__file__).parents[2]
SMOKE = ("--configfile", "config/smoke.yaml")
CORES = str(min(2, os.cpu_count() or 1))
NOTHING = "Nothing to be done"
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", re.MULTILINE)
CHOSEN_HERE = ("OMP_NUM_THREADS", "PYTHONPATH", "SNAKEMAKE_PROFILE")


def shipped(*overlays):
    """The default configuration with overlays of config/ laid over it."""
    values = {}
    for name in ("config.yaml", *overlays):
        update_config(values, yaml.safe_load((ROOT / "config" / name).read_text()))
    return config.load(values)


def runs_of(configuration):
    """The canonical names of all runs that views show, and studies that read what a run leaves."""
    shown = [run for view in configuration.views.values() for run in view.methods]
    for study in map(studies.parse, configuration.studies.values()):
        shown += study.runs() if set(study.reads) - {"data"} else ()
    return {configuration.canonical(run) for run in shown}


def environment():
    """As a user has it who types `make`: tools of this interpreter first, compiled bytecode kept."""
    kept = {key: value for key, value in os.environ.items() if key not in CHOSEN_HERE}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", "")))
    return kept | {"PATH": path, "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "", "NO_COLOR": "1"}


def copy_of_the_repository(folder):
    """Copy what git tracks or would track."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    told = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, told.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def tool(folder, *command, **variables):
    """Run a command, with more environment variables, and return its status and all that it prints."""
    told = subprocess.run(
        command,
        cwd=folder,
        env=environment() | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return told.returncode, told.stdout


def snakemake(folder, *arguments, **variables):
    status, told = tool(folder, "snakemake", *arguments, **variables)
    assert status == 0, told
    return told


@dataclass(frozen=True)
class Planned:
    """A job of a dry run."""

    rule: str
    wildcards: dict
    inputs: tuple


def planned(folder, *arguments):
    """Return the jobs that a dry run of the smoke configuration announces."""
    told = snakemake(folder, "--dry-run", *SMOKE, *arguments)
    if NOTHING in told:
        return []
    jobs = [Planned(rule, _fields(body, "wildcards"), _inputs(body)) for rule, body in JOB.findall(told)]
    assert jobs, told
    return list({(job.rule, *job.wildcards.items()): job for job in jobs if job.rule != "all"}.values())


def rules_of(told, rule):
    """Return the wildcards of the jobs of a rule that a dry run announces."""
    return [_fields(body, "wildcards") for name, body in JOB.findall(told) if name == rule]


def methods(jobs, rule):
    """The runs of the jobs of a rule."""
    return {name_of(job.wildcards["method"]) for job in jobs if job.rule == rule}


def rules(jobs):
    return {job.rule for job in jobs}


@contextmanager
def edited(file, old, new):
    """Edit a file for a while."""
    text = file.read_text()
    assert old in text, f"{file.name} no longer says {old!r}: name another formula in this test"
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


def _fields(body, name):
    line = re.search(rf"^    {name}: (.*)$", body, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in line[1].split(", ")) if line else {}


def _inputs(body):
    line = re.search(r"^    input: (.*)$", body, re.MULTILINE)
    return tuple(line[1].split(", ")) if line else ()
