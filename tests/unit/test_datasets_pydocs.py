"""Docstrings as a retrieval set."""

import sys
from pathlib import Path

import pytest

from smec import datasets
from smec.datasets import reading
from smec.datasets.docstrings import Docstring, package_versions, source_docstrings
from smec.datasets.pydocs import PydocsSettings, as_pair
from smec.errors import SmecError

BODY = "The long story of what it does, told at such a length that nobody could call it short. " * 2


def write_package(root: Path, name: str, files: dict[str, str]) -> None:
    for path, source in files.items():
        file = root / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)


def function(name, summary, body=BODY):
    return f'def {name}():\n    """{summary}\n\n    {body}\n    """\n'


@pytest.fixture
def package(tmp_path, monkeypatch):
    many = "".join(function(f"f{i}", f"Count the number {i} aloud.", f"{i} {BODY}") for i in range(60))
    write_package(
        tmp_path,
        "wordy",
        {
            "__init__.py": "raise RuntimeError('imported')",
            "_impl.py": f'"""Private module that has a docstring.\n\n{BODY}"""\n'
            + function("offered", "Do the thing very well."),
            "plain.py": many + function("_hidden", "Nobody may see this one.", "hidden " + BODY),
            "same.py": function("a", "Share one summary line.", "one " + BODY)
            + function("b", "share one  Summary line.", "two " + BODY)
            + function("c", "Copy the body of another.", "1 " + BODY),
            "tests/test_it.py": function("tested", "Test what was written.", "test " + BODY),
            "_vendor/other.py": function("foreign", "Belong to somebody else.", "vendor " + BODY),
            "broken.py": "def (:",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("smec.datasets.pydocs.standard_library_docstrings", lambda: iter(()))
    return "wordy"


def prepared(folder, package, **settings):
    datasets.prepare(PydocsSettings(packages=(package,), **settings), folder)
    return dict(zip(reading.ids(folder, "corpus"), reading.texts(folder, "corpus"), strict=True))


def test_public_docstrings_become_pairs(tmp_path, package):
    corpus = prepared(tmp_path, package)
    assert package not in sys.modules
    assert "wordy.offered" in corpus
    assert "wordy.plain.f7" in corpus
    assert len(corpus) == 61
    assert corpus["wordy.plain.f7"].startswith("wordy.plain.f7 7 The long story")
    queries = dict(zip(reading.ids(tmp_path, "queries"), reading.texts(tmp_path, "queries"), strict=True))
    assert queries["query:wordy.plain.f7"] == "Count the number 7 aloud."
    assert sorted(reading.manifest(tmp_path)["packages"]) == ["python", "wordy"]


def test_two_runs_are_identical(tmp_path, package):
    prepared(tmp_path / "a", package)
    prepared(tmp_path / "b", package)
    assert reading.manifest(tmp_path / "a") == reading.manifest(tmp_path / "b")


def test_the_cap_keeps_a_subset_that_does_not_depend_on_order(tmp_path, package):
    whole = prepared(tmp_path / "a", package)
    capped = prepared(tmp_path / "b", package, max_documents=40, validation_fraction=0.3)
    assert len(capped) == 40
    assert capped.items() <= whole.items()


@pytest.mark.parametrize(
    "text",
    [
        "Too short.\n\n" + BODY,
        "A good summary of a thing.\n\nBut little else.",
        "A summary that goes on in the\nnext line of the text.\n\n" + BODY,
        "frobnicate(a, b) -> the frobnicated thing\n\n" + BODY,
        "A good summary of a thing.\n\nAs said: a  GOOD summary\nof a thing. " + BODY,
    ],
)
def test_poor_docstrings_make_no_pair(text):
    assert as_pair(Docstring("x.y", text), PydocsSettings()) is None


def test_a_summary_may_be_followed_by_text_when_its_sentence_ends():
    pair = as_pair(Docstring("x.y", "A good summary of a thing.\nMore of it.\n\n" + BODY), PydocsSettings())
    assert pair is not None
    assert pair.summary == "A good summary of a thing."
    assert pair.body.startswith("More of it. The long")


def test_documents_are_cut_at_a_word(tmp_path, package):
    corpus = prepared(tmp_path, package, max_characters=100)
    assert all(len(text) <= 100 for text in corpus.values())
    assert not any(text.endswith(" ") for text in corpus.values())


def test_nested_definitions_and_private_names():
    source = b'class A:\n    """Doc A."""\n    def m(self):\n        "Doc m."\n    def _p(self):\n        "No."\n'
    source += b'if True:\n    def g():\n        "Doc g."\n'
    assert [d.name for d in source_docstrings(source, "mod")] == ["mod.A", "mod.A.m", "mod.g"]


def test_missing_package():
    with pytest.raises(SmecError, match=r"'nunpy'.*not installed"):
        package_versions(["nunpy"])


def test_the_real_set(tmp_path):
    datasets.prepare(PydocsSettings(packages=()), tmp_path)
    corpus, queries = reading.texts(tmp_path, "corpus"), reading.texts(tmp_path, "queries")
    assert 900 < len(corpus) <= 5000
    assert len(set(corpus)) == len(corpus) == len(set(queries)) == len(queries)
    for role, prefix in (("corpus", ""), ("queries", "query:")):
        assert [name.removeprefix(prefix) for name in reading.ids(tmp_path, role)] == reading.ids(tmp_path, "corpus")
    for query, document in zip(queries, corpus, strict=True):
        assert query.lower() not in " ".join(document.lower().split())
        assert len(document) > 100
    counts = reading.manifest(tmp_path)["counts"]["queries"]
    assert sum(counts.values()) == len(queries)
    assert abs(counts["test"] / len(queries) - 0.2) < 0.04


def test_the_standard_library_can_be_left_out(tmp_path, package, monkeypatch):
    monkeypatch.setattr("smec.datasets.pydocs.standard_library_docstrings", lambda: 1 / 0)
    assert "wordy.offered" in prepared(tmp_path, package, standard_library=False)
    with pytest.raises(ValueError, match="at least one of `packages`"):
        PydocsSettings(packages=(), standard_library=False)
