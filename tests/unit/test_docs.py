"""What the documents name exists: files, functions, tests, rules, options; and nothing of the package is left out."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from smec import backbones, config, datasets, studies
from smec.compressors import method_named, method_names

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/files.md", "docs/paper_map.md", "docs/decisions.md")
FOLDERS = ("smec", "tests", "workflow", "config", "profiles", "envs", "benchmarks", "docs")
TREE_COLUMN = 33
"""Where the description of an entry begins."""


@cache
def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def defined(path):
    """Names of functions, classes and methods (as Class.method) of a Python file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = {node.name for node in tree.body if isinstance(node, kinds)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, kinds)}
    return found


def quoted(name):
    """What stands in backticks, code blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text(name), flags=re.MULTILINE | re.DOTALL))


def tree():
    """Paths of the tree of docs/files.md, each entry under the folder that it is indented below."""
    (block,) = re.findall(r"^```text\n(Snakefile.*?)^```", text("docs/files.md"), flags=re.MULTILINE | re.DOTALL)
    paths, folders = [], []
    for line in block.splitlines():
        entry = line[:TREE_COLUMN].strip()
        depth = (len(line) - len(line.lstrip())) // 2
        assert line[TREE_COLUMN:].strip() or entry.endswith("/"), f"{entry} is not described"
        folders = [*folders[:depth], entry]
        paths.append("".join(folders))
    return paths


@pytest.mark.parametrize("path", tree())
def test_an_entry_of_the_tree_exists(path):
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.is_file()


@pytest.mark.parametrize("folder", ["smec", "benchmarks", "workflow", "config", "envs"])
def test_the_tree_leaves_no_file_out(folder):
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert {str(path.relative_to(ROOT)) for path in files} - set(tree()) - {"benchmarks/__init__.py"} == set()


def test_the_tree_names_nothing_twice():
    assert len(tree()) == len(set(tree()))


def named(pattern):
    found = {(name, token) for name in DOCUMENTS for token in quoted(name) if re.fullmatch(pattern, token)}
    return sorted(found)


EXAMPLES = {"smec/compressors/top_variance.py", "config/mine.yaml"}
"""Files that the README tells the reader to write."""


@pytest.mark.parametrize(("document", "token"), named(rf"({'|'.join(FOLDERS)})/[\w./]*(:{{1,2}}[\w.]+)?"))
def test_a_file_that_a_document_names_exists_with_what_is_in_it(document, token):
    path, _, inside = token.partition(":")
    assert path in EXAMPLES or (ROOT / path).exists()
    if inside:
        assert inside.removeprefix(":") in defined(path)


@pytest.mark.parametrize(("document", "token"), named(r"smec(\.\w+)+"))
def test_a_module_that_a_document_names_exists(document, token):
    parts = token.split(".")
    for cut in range(len(parts), 1, -1):
        module = "/".join(parts[:cut])
        rest = ".".join(parts[cut:])
        if (ROOT / module / "__init__.py").exists() and not rest:
            return
        if (ROOT / f"{module}.py").exists():
            assert not rest or rest in defined(f"{module}.py")
            return
    pytest.fail(f"there is no {token}")


def option_types():
    """For each key of any settings, the types that it has there."""
    models = [config.Config, config.StoreSettings, config.View, config.Experiment]
    models += [method_named(name).Options for name in method_names()]
    models += [*datasets.SETTINGS.values(), *backbones.SETTINGS.values(), *studies.SETTINGS.values()]
    found = {}
    for model in models:
        for key, field in model.model_fields.items():
            found.setdefault(key, []).append(field)
    return found


def fits(field, value):
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("document", "token"), named(r"[a-z_]+: [\w.-]+"))
def test_an_option_that_a_document_names_exists_and_takes_that_value(document, token):
    key, value = token.split(": ")
    fields = option_types().get(key, [])
    assert any(fits(field, yaml.safe_load(value)) for field in fields)


def test_the_rules_of_the_paper_map_exist():
    rules = {rule for file in (ROOT / "workflow" / "rules").glob("*.smk") for rule in rules_of(file)}
    rows = [line for line in text("docs/paper_map.md").splitlines() if line.startswith("| ")]
    targets = {row.split("|")[-2].strip() for row in rows} - {"target"}
    for target in targets:
        first = target.split(",")[0].split(";")[0].split(":")[0]
        assert first == "later" or first.strip("`") in rules, target


def rules_of(file):
    return re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_dependency_has_its_reason():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.match(r"[\w-]+", requirement)[0] for listed in lists for requirement in listed}
    table = text("docs/decisions.md").partition("## Dependencies")[2]
    explained = {name for row in re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE) for name in row.split(", ")}
    assert declared == explained - {"package"}


def test_the_citation_is_complete():
    cited = yaml.safe_load(text("CITATION.cff"))
    assert cited["cff-version"] == "1.2.0" and cited["license"] == "MIT"
    assert f'version = "{cited["version"]}"' in text("pyproject.toml")
    (paper,) = cited["references"]
    assert paper["url"].endswith("2510.12474") and paper["authors"] and paper["title"].startswith("SMEC: ")
