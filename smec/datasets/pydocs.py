"""The embedded default: docstrings of the standard library and of installed packages, read from their source files.

The query is the summary line of a docstring, its one relevant document is the qualified name and the rest. Nothing is
imported or downloaded: `ast` reads the files where the interpreter would find them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table
from smec.datasets.docstrings import Docstring, package_docstrings, package_versions, standard_library_docstrings
from smec.datasets.splits import hashed_fraction, split_by_hash
from smec.errors import SmecError

SENTENCE_ENDS = (".", "!", "?")
SIGNATURE = re.compile(r"^[\w.\[\], ]*\(.*\)|^>>>|=\s*\w+\(")


class PydocsSettings(DatasetSettings):
    """Docstrings as a retrieval set: summary line to the rest of the docstring."""

    kind: Literal["pydocs"] = Field(default="pydocs", description="Docstrings of installed source code.")
    packages: tuple[str, ...] = Field(
        default=("matplotlib", "networkx", "numpy", "scipy"),
        description="Import names of installed packages that are read besides the standard library.",
    )
    standard_library: bool = Field(default=True, description="Read the standard library.")
    max_documents: int = Field(
        default=5000, ge=10, description="Documents kept at most; the choice is by a hash of the qualified name."
    )
    min_summary_characters: int = Field(default=20, ge=1, description="Shortest summary line that becomes a query.")
    min_summary_words: int = Field(default=4, ge=1, description="Fewest words of a summary line that becomes a query.")
    min_body_characters: int = Field(default=120, ge=1, description="Shortest rest of a docstring that is a document.")
    max_characters: int = Field(
        default=500, ge=50, description="Longest document in characters, cut at a word: it bounds the encoding time."
    )

    @model_validator(mode="after")
    def _reads_something(self) -> "PydocsSettings":
        if not self.standard_library and not self.packages:
            raise ValueError("without the standard library at least one of `packages` is needed")
        return self


@dataclass(frozen=True)
class Pair:
    """One qualified name with its summary line (the query) and the rest of the docstring (the document)."""

    name: str
    summary: str
    body: str


def load(settings: PydocsSettings, folder: Path) -> Dataset:
    """Read, clean and pair the docstrings.

    Raises:
        SmecError: a configured package is not installed, or no docstring passes the limits.
    """
    versions = package_versions(settings.packages)
    found = (as_pair(docstring, settings) for docstring in _docstrings(settings))
    pairs = _select(_unambiguous(pair for pair in found if pair is not None), settings)
    if not pairs:
        raise SmecError(
            "No docstring passes the limits of the dataset kind 'pydocs'. Lower min_body_characters or "
            "min_summary_characters, or name packages with longer docstrings."
        )
    query_ids = [f"query:{pair.name}" for pair in pairs]
    names = [pair.name for pair in pairs]
    split, rule = split_by_hash(query_ids, settings.validation_fraction, settings.test_fraction)
    sources = ["the standard library"] * settings.standard_library + list(settings.packages)
    return Dataset(
        source=f"docstrings of {', '.join(sources)}",
        corpus=text_table(names, [_document(pair, settings.max_characters) for pair in pairs]),
        queries=text_table(query_ids, [pair.summary for pair in pairs]),
        qrels=qrels_table(query_ids, names, [1] * len(pairs)),
        split=split,
        split_rule=rule,
        details={"packages": versions, "documents_per_package": _origins(pairs)},
    )


def as_pair(found: Docstring, settings: PydocsSettings) -> Pair | None:
    """Split a docstring in summary and body, or return None when it makes no good question and answer.

    Dropped are summaries that are short, cut in the middle of a sentence, signatures or headings; bodies that are
    short; and bodies that repeat the summary, ignoring case and white space.
    """
    lines = found.text.strip().splitlines()
    summary = " ".join(lines[0].split())
    body = " ".join(" ".join(lines[1:]).split())
    goes_on = len(lines) > 1 and bool(lines[1].strip()) and not summary.endswith(SENTENCE_ENDS)
    too_short = (
        len(summary) < settings.min_summary_characters
        or len(summary.split()) < settings.min_summary_words
        or len(body) < settings.min_body_characters
    )
    if goes_on or too_short or SIGNATURE.search(summary) or _leaks(summary, f"{found.name} {body}"):
        return None
    return Pair(found.name, summary, body)


def _docstrings(settings: PydocsSettings) -> Iterator[Docstring]:
    if settings.standard_library:
        yield from standard_library_docstrings()
    for package in settings.packages:
        yield from package_docstrings(package)


def _leaks(summary: str, document: str) -> bool:
    question = _normalised(summary).rstrip(".!?: ")
    return question in _normalised(document)


def _unambiguous(pairs: Iterable[Pair]) -> list[Pair]:
    """Keep the first of pairs with one name or one body, then drop every summary that still occurs more than once."""
    names: dict[str, Pair] = {}
    for pair in pairs:
        names.setdefault(pair.name, pair)
    bodies: dict[str, Pair] = {}
    for pair in names.values():
        bodies.setdefault(_normalised(pair.body), pair)
    uses = Counter(_normalised(pair.summary).rstrip(".") for pair in bodies.values())
    return [pair for pair in bodies.values() if uses[_normalised(pair.summary).rstrip(".")] == 1]


def _select(pairs: list[Pair], settings: PydocsSettings) -> list[Pair]:
    kept = sorted(pairs, key=lambda pair: hashed_fraction(pair.name))[: settings.max_documents]
    return sorted(kept, key=lambda pair: pair.name)


def _document(pair: Pair, limit: int) -> str:
    whole = f"{pair.name} {pair.body}"
    return whole if len(whole) <= limit else whole[: limit + 1].rsplit(" ", 1)[0][:limit]


def _normalised(text: str) -> str:
    return " ".join(text.lower().split())


def _origins(pairs: list[Pair]) -> dict[str, Any]:
    return dict(sorted(Counter(pair.name.split(".", 1)[0] for pair in pairs).items()))
