"""What every dataset yields, and how it is checked and written: the same five files for each kind.

    {folder}/corpus.parquet    id, and what a document is: see below
    {folder}/queries.parquet   id, and what a query is; the two may differ, as with captions and images
    {folder}/qrels.parquet     query_id, corpus_id, relevance (int32); or group, corpus_id, relevance: see below
    {folder}/split.parquet     query_id, split (train, validation or test)
    {folder}/manifest.json     kind, settings, counts, split rule, exclude_self, sha256 of the four files

What a row is: `text`; or `file` (path below the folder that the manifest names under `images`) and `sha256` of that
file; or `image` (a stored image file, such as a small PNG); or `source_row` (row of a file of vectors).

Where relevance is by class, `qrels.parquet` has the documents of each group once, and `queries.parquet` has a further
column `group`: what is judged for a group is judged for all its queries, but never a document with the query's own id.
A class of thousands of images then takes thousands of lines, and not their square.

Rows of corpus and queries ascend by id, so that a row number is also a rank by id.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from smec.datasets.sorted_rows import write_sorted
from smec.datasets.splits import SPLITS, TEST
from smec.errors import SmecError
from smec.files import atomic_path, sha256_of_file, write_json
from smec.modality import Modality, Task
from smec.settings import Settings

logger = logging.getLogger(__name__)


class DatasetSettings(Settings):
    """Settings that every kind of dataset has."""

    exclude_self: bool = Field(
        default=False,
        description="Leave the document whose id equals the query's id out of that query's ranking (BEIR does so for "
        "ArguAna and Quora, whose queries are documents).",
    )
    validation_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the queries that are used to choose, picked by a hash of the query id; of the training "
        "queries where the set has its own test judgements.",
    )
    test_fraction: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Share of the queries that are held out, picked by a hash of the query id; unused where the set "
        "has training judgements of its own. The workflow needs a share above 0; `smec fit` uses 0.",
    )

    def modality(self, role: str) -> Modality:
        """Return what `role` (corpus or queries) of the set holds; known before anything is read."""
        return "text"

    def searched(self) -> Task:
        """Return what is looked up in what; known before anything is read."""
        return "text"

    def sources(self) -> tuple[Path, ...]:
        """Return the files, and folders with all their files, that the set is built from: an edit builds it anew."""
        return tuple(value for _, value in self if isinstance(value, Path))

    def missing(self) -> str | None:
        """Say what the job that builds the set will lack on this machine, and what to do; None where all is there."""
        return None

    @property
    def group(self) -> str | None:
        """Name of a set that this is one part of: the mean over its parts counts as one dataset in an average."""
        return None

    @model_validator(mode="after")
    def _leaves_queries_to_train_on(self) -> "DatasetSettings":
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must stay below 1, or no query is left to train on.")
        return self


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory, not yet checked or sorted.

    Attributes:
        source: where it came from, for error messages.
        corpus: columns id (string) and text (large_string), or file and sha256 (string), or image (large_binary), or
            source_row (int64).
        queries: the same columns, or another of these choices; and group (string) where `qrels` has it.
        qrels: columns query_id (string), corpus_id (string), relevance (int32); or group (string) for query_id.
        split: the split of each judged query id.
        split_rule: one sentence that says how the splits were made.
        details: further entries of the manifest.
    """

    source: str
    corpus: pa.Table
    queries: pa.Table
    qrels: pa.Table
    split: dict[str, str]
    split_rule: str
    details: dict[str, Any] = field(default_factory=dict)


def text_table(ids: list[str], texts: list[str]) -> pa.Table:
    """Return a table with the columns id (string) and text (large_string)."""
    return pa.table({"id": pa.array(ids, pa.string()), "text": pa.array(texts, pa.large_string())})


def qrels_table(query_ids: list[str], corpus_ids: list[str], relevance: list[int]) -> pa.Table:
    """Return a table with the columns query_id, corpus_id (string) and relevance (int32)."""
    return pa.table(
        {
            "query_id": pa.array(query_ids, pa.string()),
            "corpus_id": pa.array(corpus_ids, pa.string()),
            "relevance": pa.array(relevance, pa.int32()),
        }
    )


def write(dataset: Dataset, settings: DatasetSettings, folder: Path) -> None:
    """Check a dataset and write its five files to `folder`, the manifest last.

    Queries without judgements are dropped and counted in the manifest.

    Raises:
        SmecError: an id occurs twice, a judgement names an unknown id, or a split has no query. The test split may
            be empty where the settings hold nothing out.
    """
    checks(dataset)
    check_splits(dataset, settings)
    (folder / "manifest.json").unlink(missing_ok=True)
    judged = _judged_queries(dataset)
    split = pa.table({"query_id": sorted(dataset.split), "split": [dataset.split[q] for q in sorted(dataset.split)]})
    tables = {
        "corpus": (dataset.corpus, ["id"]),
        "queries": (judged, ["id"]),
        "qrels": (dataset.qrels, [_asker(dataset), "corpus_id"]),
        "split": (split, ["query_id"]),
    }
    for name, (table, by) in tables.items():
        with atomic_path(folder / f"{name}.parquet") as temporary:
            write_sorted(table, by, temporary)
    manifest = {
        "kind": settings.model_dump()["kind"],
        "settings": settings.model_dump(mode="json"),
        "exclude_self": settings.exclude_self,
        "split_rule": dataset.split_rule,
        "counts": _counts(dataset, judged),
        "sha256": {name: sha256_of_file(folder / f"{name}.parquet") for name in tables},
        **dataset.details,
    }
    write_json(folder / "manifest.json", manifest)
    logger.info("%s: %s", folder, manifest["counts"])


def checks(dataset: Dataset) -> None:
    """Raise `SmecError` for the first fault of ids or judgements (see `write`)."""
    for name, table in (("corpus", dataset.corpus), ("queries", dataset.queries)):
        _check_unique(table, f"{name} of {dataset.source}")
    asker = _asker(dataset)
    asked = dataset.queries["id" if asker == "query_id" else "group"]
    for column, ids, what in ((asker, asked, "query"), ("corpus_id", dataset.corpus["id"], "document")):
        unknown = pc.invert(pc.is_in(dataset.qrels[column], value_set=ids))
        if pc.any(unknown).as_py() and column != "group":
            first = dataset.qrels.filter(unknown).slice(0, 1).to_pylist()[0]
            raise SmecError(
                f"The judgements of {dataset.source} name the {what} {first[column]!r} (query {first[asker]!r}, "
                f"document {first['corpus_id']!r}), which the set does not hold, and {pc.sum(unknown).as_py() - 1} "
                "more are like it. Remove these lines or add what is missing."
            )
    pairs = dataset.qrels.group_by([asker, "corpus_id"]).aggregate([([], "count_all")])
    twice = pairs.filter(pc.greater(pairs["count_all"], 1))
    if twice.num_rows:
        first = twice.slice(0, 1).to_pylist()[0]
        raise SmecError(
            f"The judgements of {dataset.source} hold the pair of query {first[asker]!r} and document "
            f"{first['corpus_id']!r} twice. Keep one of the two lines."
        )


def check_splits(dataset: Dataset, settings: DatasetSettings) -> None:
    """Raise `SmecError` for a split without queries."""
    for name in SPLITS:
        if name not in dataset.split.values() and (name != TEST or settings.test_fraction):
            raise SmecError(
                f"The split {name!r} of {dataset.source} is empty: none of its {len(dataset.split)} judged queries "
                f"falls there ({dataset.split_rule}). Raise the fraction of that split (test_fraction and "
                "validation_fraction of a dataset, `--validation-fraction` of `smec fit`; lower them for 'train'), or "
                "add judged queries."
            )


def _check_unique(table: pa.Table, where: str) -> None:
    if not table.num_rows:
        raise SmecError(f"The {where} has no rows. Check that the file is the right one and is complete.")
    counted = pc.value_counts(table["id"])
    twice = counted.filter(pc.greater(counted.field("counts"), 1))
    if len(twice):
        raise SmecError(
            f"The {where} holds the id {twice[0]['values'].as_py()!r} {twice[0]['counts'].as_py()} times "
            f"({len(twice)} ids are repeated). Ids must be unique: remove or rename the repeated rows."
        )


def _asker(dataset: Dataset) -> str:
    """Return the column of the judgements that says whose they are: query_id or group."""
    return "group" if "group" in dataset.qrels.column_names else "query_id"


def _judged_queries(dataset: Dataset) -> pa.Table:
    """Return the queries that have a judgement and, where judgements are by group, a split."""
    asker = _asker(dataset)
    if asker == "query_id":
        return dataset.queries.filter(pc.is_in(dataset.queries["id"], value_set=pc.unique(dataset.qrels[asker])))
    judged = dataset.queries.filter(pc.is_in(dataset.queries[asker], value_set=pc.unique(dataset.qrels[asker])))
    return judged.filter(pc.is_in(judged["id"], value_set=pa.array(list(dataset.split), pa.string())))


def _counts(dataset: Dataset, judged: pa.Table) -> dict[str, Any]:
    assigned = list(dataset.split.values())
    shared = pc.sum(pc.is_in(judged["id"], value_set=dataset.corpus["id"])).as_py()
    return {
        "corpus": dataset.corpus.num_rows,
        "queries": {name: assigned.count(name) for name in SPLITS},
        "queries_without_judgements_dropped": dataset.queries.num_rows - judged.num_rows,
        "queries_with_the_id_of_a_document": shared,
        "judgements": dataset.qrels.num_rows,
        "positive_judgements": pc.sum(pc.greater(dataset.qrels["relevance"], 0)).as_py(),
    }
