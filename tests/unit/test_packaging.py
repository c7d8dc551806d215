"""What is installed: the lock satisfies pyproject.toml, names no address, and is what the conda files say."""

import difflib
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envs.__main__ import environments, lock

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = PROJECT["dependencies"] + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
ENVIRONMENTS = ("cpu.yaml", "gpu.yaml")


def version(line):
    (pin,) = Requirement(line).specifier
    return pin.version


def test_every_line_of_the_lock_is_one_exact_pin():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    exact = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*( ; [^#@]+)?")
    assert [line for line in lines if not exact.fullmatch(line)] == [], "no addresses, hashes, paths, options or ranges"
    assert len(lock()) == len(lines) > 100


@pytest.mark.parametrize("declared", DECLARED)
def test_the_lock_satisfies(declared):
    requirement = Requirement(declared)
    pinned = lock().get(canonicalize_name(requirement.name))
    assert pinned is not None, "run `make lock`"
    assert requirement.specifier.contains(version(pinned), prereleases=True)


def test_nothing_declared_comes_from_an_address():
    assert all(Requirement(line).url is None for line in DECLARED)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_files_are_in_step_with_the_lock(name):
    shipped = (ROOT / "envs" / name).read_text()
    made = environments()[name]
    difference = difflib.unified_diff(shipped.splitlines(), made.splitlines(), f"envs/{name}", "requirements.lock")
    assert shipped == made, "\n".join([f"envs/{name} is out of date: run `make lock`", *difference])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_files_say_what_conda_reads(name):
    parsed = yaml.safe_load((ROOT / "envs" / name).read_text())
    python, pip, pins = parsed["dependencies"]
    assert python.removeprefix("python=") in SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip", "pip itself, so that the section below is read"
    assert {Requirement(line).name: version(line) for line in pins["pip"]}.items() <= {
        name: version(line) for name, line in lock().items()
    }.items()


def test_the_environment_of_trained_jobs_holds_every_runtime_dependency():
    pins = yaml.safe_load((ROOT / "envs/gpu.yaml").read_text())["dependencies"][-1]["pip"]
    found = {Requirement(line).name for line in pins}
    wanted = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert {name for name in wanted - found if not name.startswith("snakemake")} == set()
    smaller = yaml.safe_load((ROOT / "envs/cpu.yaml").read_text())["dependencies"][-1]["pip"]
    assert set(smaller) < set(pins)


def test_every_rule_names_an_environment_that_there_is():
    """Without conda nothing else looks: lint and a dry run pass with the file gone."""
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        text = file.read_text()
        named = re.findall(r"^    conda:\n        \"(.+)\"$", text, flags=re.MULTILINE)
        assert len(named) == len(re.findall(r"^rule \w+:", text, flags=re.MULTILINE)), file.name
        assert {(file.parent / path).resolve() for path in named} <= {ROOT / "envs" / name for name in ENVIRONMENTS}


def test_an_image_holds_nothing_that_git_ignores():
    def patterns(name):
        lines = (ROOT / name).read_text().splitlines()
        return {line.replace("**/", "").replace("!/", "!").strip("/") for line in lines if not line.startswith("#")}

    assert patterns(".dockerignore") == patterns(".gitignore")
