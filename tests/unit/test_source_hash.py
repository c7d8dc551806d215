"""An edit of code changes the hash of the jobs that use it; an edit of a comment or a docstring changes none."""

import ast
import os
import shutil
import subprocess
import sys

import pytest

from smec import source_hash as hashing
from smec.compressors import method_names
from smec.source_hash import PACKAGE, source_hash

PLANTED = '''"""A module docstring."""

import math

from smec.files import write_json

SHARE = 0.5


class Thing:
    """A class docstring."""

    def half(self, value: float = 0.05) -> float:
        """A method docstring."""
        return math.sqrt(value) * SHARE


def save(path):
    """A function docstring."""
    from smec.judgements import Judgements

    write_json(path, Judgements)
'''


class Copy:
    """A copy of the package, with one module more, that may be edited."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "planted.py").write_text(PLANTED)

    def hash(self, *modules):
        forget()
        return source_hash(*(modules or ("smec.planted",)))

    def edit(self, old, new, file="planted.py"):
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def append(self, file):
        with (self.folder / file).open("a") as stream:
            stream.write("\nADDED = 1\n")


def forget():
    for value in vars(hashing).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.fixture
def copied(tmp_path, monkeypatch):
    shutil.copytree(PACKAGE, tmp_path / "smec", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(hashing, "PACKAGE", tmp_path / "smec")
    yield Copy(tmp_path / "smec")
    forget()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import math\n", "import math  # a comment\n\n\n"),
        ("return math.sqrt(value) * SHARE", "return (\n            math.sqrt(value)\n            * SHARE\n        )"),
        ("A module docstring", "Something else"),
        ("A class docstring", "Something else"),
        ("A method docstring", "Something else"),
        ('        """A method docstring."""\n', ""),
        ("A function docstring", "Something else"),
    ],
)
def test_comments_layout_and_docstrings_change_nothing(copied, old, new):
    before = copied.hash()
    copied.edit(old, new)
    assert copied.hash() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("math.sqrt(value) * SHARE", "math.sqrt(value) + SHARE"),
        ("SHARE = 0.5", "SHARE = 0.6"),
        ("0.05", "0.06"),
        ("def half", "def third"),
        ("write_json(path, Judgements)", "write_json(path, [Judgements])"),
    ],
)
def test_code_changes_it_and_taking_the_edit_back_restores_it(copied, old, new):
    before = copied.hash()
    copied.edit(old, new)
    assert copied.hash() != before
    copied.edit(new, old)
    assert copied.hash() == before


@pytest.mark.parametrize("file", ["files.py", "judgements.py", "errors.py"])
def test_an_import_counts_at_the_top_inside_a_function_and_through_another_module(copied, file):
    before = copied.hash()
    copied.append(file)
    assert copied.hash() != before


TRAINING = ("smec.jobs.train", "smec.compressors.smec")
EVALUATION = ("smec.jobs.evaluate", "smec.compressors.smec")


@pytest.mark.parametrize(
    ("file", "reruns"),
    [
        ("metrics.py", {EVALUATION}),
        ("losses.py", {TRAINING, EVALUATION}),
        ("training.py", {TRAINING, EVALUATION}),
        ("reporting/figures.py", set()),
        ("compressors/pca.py", set()),
        ("cli.py", set()),
    ],
)
def test_only_what_a_job_uses_counts(copied, file, reruns):
    """An evaluation uses the method that it scores, and so what the method trains with: it would run again anyway."""
    before = {modules: copied.hash(*modules) for modules in (TRAINING, EVALUATION)}
    copied.append(file)
    assert {modules for modules in before if copied.hash(*modules) != before[modules]} == reruns


def test_the_order_of_the_names_does_not_matter():
    assert source_hash("smec.losses", "smec.memory") == source_hash("smec.memory", "smec.losses")


def test_another_process_gives_the_same_hash():
    code = "from smec.source_hash import source_hash; print(source_hash('smec.jobs.train', 'smec.compressors.smec'))"
    environment = os.environ | {"PYTHONHASHSEED": "11"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == source_hash("smec.jobs.train", "smec.compressors.smec")


def imported_modules(job, member):
    """The modules of this package that a verb loads, as seen in a fresh process that imports all it can reach."""
    code = f"import sys, {job}, {member}\nprint(*[m for m in sys.modules if m.startswith('smec')])"
    told = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def hashed_modules(*modules):
    pending, seen = list(modules), set()
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending.extend(hashing._read(module)[0] - seen)
    return seen


def test_the_hash_covers_every_module_that_a_training_job_imports():
    """Members of registries that a job does not use are imported beside it and left out on purpose."""
    member = "smec.compressors.smec"
    registries = ("smec.backbones.", "smec.datasets.")
    imported = {m for m in imported_modules("smec.jobs.train, smec.smrl", member) if not m.startswith(registries)}
    packages = {"smec", "smec.jobs"}
    assert imported - packages <= hashed_modules("smec.jobs.train", member)


def test_every_module_of_the_package_can_be_hashed():
    for name in method_names():
        assert len(source_hash("smec.jobs.train", f"smec.compressors.{name}")) == 16
    for path in PACKAGE.rglob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert all(node.level == 0 for node in imports), f"{path}: a relative import is not seen by the hash"
