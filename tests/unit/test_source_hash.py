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


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """A copy of the package; returns a function that edits one file and gives the hash of `smec.jobs.train`."""
    copied = tmp_path / "smec"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(hashing, "PACKAGE", copied)

    def forget():
        for value in vars(hashing).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()

    def edit(file="losses.py", old=None, new=None, modules=("smec.jobs.train", "smec.compressors.smec")):
        if old is not None:
            text = (copied / file).read_text()
            assert old in text
            (copied / file).write_text(text.replace(old, new))
        forget()
        return source_hash(*modules)

    yield edit
    forget()


def test_a_comment_blank_lines_and_line_breaks_change_nothing(edited):
    before = edited()
    assert edited("losses.py", "import torch\n", "import torch  # a comment\n\n\n") == before
    line = "return (frozen - compressed).abs().mean()"
    assert edited("losses.py", line, line.replace("return ", "return (\n        ") + "\n    )") == before


def test_a_docstring_changes_nothing_at_any_level(edited):
    before = edited()
    assert edited("losses.py", '"""Losses on similarity scores', '"""Something else') == before
    assert edited("losses.py", '"""L_unsup:', '"""Another word:') == before
    assert edited("memory.py", '"""Selective cross-batch memory of', '"""A memory of') == before


def test_a_changed_formula_changes_the_hash_and_its_return_brings_it_back(edited):
    before = edited()
    after = edited("losses.py", "(frozen - compressed).abs()", "(frozen - compressed).square()")
    assert after != before
    assert edited("losses.py", "(frozen - compressed).square()", "(frozen - compressed).abs()") == before


def test_a_changed_constant_name_and_default_count(edited):
    seen = {edited()}
    for old, new in (
        ("temperature: float = 0.05", "temperature: float = 0.06"),
        ("-torch.inf", "torch.inf"),
        ("def similarity_loss(", "def similarity_losses("),
    ):
        seen.add(edited("losses.py", old, new))
    assert len(seen) == 4


def test_only_what_a_job_imports_counts(edited):
    training = ("smec.jobs.train", "smec.compressors.smec")
    evaluation = ("smec.jobs.evaluate", "smec.compressors.smec")
    before = {modules: edited(modules=modules) for modules in (training, evaluation)}
    target = PACKAGE / "metrics.py"
    first = next(line for line in target.read_text().splitlines() if line.startswith("def "))
    edited("metrics.py", first, f"ADDED = 1\n\n\n{first}")
    assert edited(modules=training) == before[training], "a metric edit retrains nothing"
    assert edited(modules=evaluation) != before[evaluation]


def test_a_method_counts_for_its_own_jobs_only(edited):
    jobs = {name: ("smec.jobs.train", f"smec.compressors.{name}") for name in ("pca", "whitening")}
    before = {name: edited(modules=modules) for name, modules in jobs.items()}
    edited("compressors/pca.py", "rows = axes", "rows = 1 * axes")
    assert edited(modules=jobs["pca"]) != before["pca"]
    assert edited(modules=jobs["whitening"]) == before["whitening"]


def test_an_import_inside_a_function_counts(edited):
    before = edited(modules=("smec.compressors.smec",))
    assert edited("smrl.py", "SETTLED_SHARE = 0.8", "SETTLED_SHARE = 0.7", ("smec.compressors.smec",)) != before


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
