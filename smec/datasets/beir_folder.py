"""Any local folder in BEIR's layout, read by BEIR's own loader after its files were checked line by line.

{path}/corpus.jsonl        {"_id": ..., "title": ..., "text": ...}
{path}/queries.jsonl       {"_id": ..., "text": ...}
{path}/qrels/{train,dev,test}.tsv   query-id, corpus-id, score under a header line
"""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table
from smec.datasets.beir_checks import check_jsonl, check_qrels
from smec.datasets.splits import complete_split
from smec.errors import SmecError

if TYPE_CHECKING:
    from beir.datasets.data_loader import GenericDataLoader

SPLIT_OF_FILE = {"train": "train", "dev": "validation", "test": "test"}


class BeirFolderSettings(DatasetSettings):
    """A dataset as BEIR distributes it."""

    kind: Literal["beir_folder"] = Field(default="beir_folder", description="A local folder in BEIR's layout.")
    path: Path = Field(description="The folder that holds corpus.jsonl, queries.jsonl and qrels/.")


def load(settings: BeirFolderSettings, folder: Path) -> Dataset:
    """Check the files and load them.

    Raises:
        SmecError: a folder or file is missing, a line is not what BEIR's layout says, an id occurs twice, a judgement
            names an unknown id, or a query is judged in two splits.
    """
    files = _qrels_files(settings.path)
    corpus_ids = check_jsonl(settings.path / "corpus.jsonl", "document")
    query_ids = check_jsonl(settings.path / "queries.jsonl", "query")
    for file in files.values():
        check_qrels(file, query_ids, corpus_ids)
    with _quiet():
        return _loaded(settings, files)


def _loaded(settings: BeirFolderSettings, files: dict[str, Path]) -> Dataset:
    from beir.datasets.data_loader import GenericDataLoader

    whole = GenericDataLoader(str(settings.path))
    corpus = whole.load_corpus()
    queries: dict[str, str] = {}
    published: dict[str, str] = {}
    judged: tuple[list[str], list[str], list[int]] = ([], [], [])
    for name in files:
        split_queries, qrels = _load_split(settings.path, whole, name)
        queries.update(split_queries)
        for query, documents in qrels.items():
            if published.setdefault(query, SPLIT_OF_FILE[name]) != SPLIT_OF_FILE[name]:
                raise SmecError(
                    f"The query {query!r} is judged in {files[name]} and in the file of the split "
                    f"{published[query]!r} of {settings.path}. A query belongs to one split: remove it from the others."
                )
            judged[0].extend([query] * len(documents))
            judged[1].extend(documents)
            judged[2].extend(documents.values())
    split, rule = complete_split(published, settings.validation_fraction, settings.test_fraction)
    return Dataset(
        source=str(settings.path),
        corpus=text_table(list(corpus), [_text(document) for document in corpus.values()]),
        queries=text_table(list(queries), list(queries.values())),
        qrels=qrels_table(*judged),
        split=split,
        split_rule=rule,
        details={"qrels_files": [f"qrels/{file.name}" for file in files.values()]},
    )


def _load_split(path: Path, whole: "GenericDataLoader", name: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Load the queries and judgements of one split, with a loader of its own: a second load would keep the first's."""
    from beir.datasets.data_loader import GenericDataLoader

    loader = GenericDataLoader(str(path))
    loader.corpus = whole.corpus
    _, queries, qrels = loader.load(split=name)
    return queries, qrels


def _qrels_files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        raise SmecError(f"The dataset folder {path} does not exist. Correct `path`, or put the dataset there.")
    files = {name: path / "qrels" / f"{name}.tsv" for name in SPLIT_OF_FILE}
    present = {name: file for name, file in files.items() if file.exists()}
    if not present:
        raise SmecError(
            f"{path / 'qrels'} holds none of train.tsv, dev.tsv and test.tsv. A BEIR folder needs one of them."
        )
    return present


def _text(document: dict[str, str]) -> str:
    return f"{document.get('title') or ''} {document.get('text') or ''}".strip()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep beir's chatter out of the log: its progress bar without a terminal, the files it leaves to be closed."""
    logger = logging.getLogger("beir")
    level = logger.level
    logger.setLevel(logging.WARNING)
    bar = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
    try:
        with bar, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        logger.setLevel(level)
