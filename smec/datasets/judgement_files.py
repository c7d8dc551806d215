"""Judgements in a .tsv or .parquet file, with an optional column that says the split of each query."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from smec.datasets.splits import SPLITS
from smec.errors import SmecError, nearest_name

COLUMNS = {"query-id": "query_id", "corpus-id": "corpus_id", "score": "relevance"}
SPLIT_NAMES = {"train": "train", "validation": "validation", "dev": "validation", "val": "validation", "test": "test"}


def read_judgements(path: Path) -> tuple[pa.Table, dict[str, str]]:
    """Return the judgements and the split of each judged query.

    Returns:
        A table with query_id, corpus_id (string) and relevance (int32), and the published split of each query id;
        every query is in `test` when the file has no column `split`.

    Raises:
        SmecError: the file is missing or empty, a column is missing, a grade is not a whole number, or a query has two
            splits or an unknown one.
    """
    if not path.is_file():
        raise SmecError(f"The file {path} of the judgements does not exist. Correct `qrels`.")
    table = _read(path)
    table = table.rename_columns([COLUMNS.get(name, name) for name in table.column_names])
    missing = [name for name in COLUMNS.values() if name not in table.column_names]
    if missing:
        raise SmecError(
            f"{path} lacks the columns {missing}; it has {table.column_names}. A .tsv needs the header line "
            "'query-id<tab>corpus-id<tab>score', a .parquet query_id, corpus_id and relevance."
        )
    if not table.num_rows:
        raise SmecError(f"{path} holds no judgements. Check that the file is complete.")
    for name in table.column_names:
        if table[name].null_count:
            raise SmecError(f"{path} has {table[name].null_count} empty cells in the column {name!r}. Fill them in.")
    qrels = pa.table(
        {
            "query_id": table["query_id"].cast(pa.string()),
            "corpus_id": table["corpus_id"].cast(pa.string()),
            "relevance": _grades(table["relevance"], path),
        }
    )
    return qrels, _published(table, path)


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        if path.suffix == ".tsv":
            texts = dict.fromkeys((*COLUMNS, *COLUMNS.values(), "split"), pa.string())
            return pa_csv.read_csv(
                path,
                parse_options=pa_csv.ParseOptions(delimiter="\t", quote_char=False),
                convert_options=pa_csv.ConvertOptions(column_types=texts),
            )
    except (pa.ArrowInvalid, OSError) as error:
        raise SmecError(f"{path} cannot be read ({error}). Save the judgements again.") from error
    raise SmecError(f"{path} is neither .tsv nor .parquet. Save the judgements in one of these forms.")


def _grades(column: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SmecError(f"A grade of {path} is not a whole number ({error}). Round the grades.") from error


def _published(table: pa.Table, path: Path) -> dict[str, str]:
    ids = table["query_id"].cast(pa.string())
    if "split" not in table.column_names:
        return dict.fromkeys(pc.unique(ids).to_pylist(), "test")
    published: dict[str, str] = {}
    for query, name in zip(ids.to_pylist(), table["split"].to_pylist(), strict=True):
        if name not in SPLIT_NAMES:
            raise SmecError(
                f"{path} puts the query {query!r} in the unknown split {name!r}. {nearest_name(name, SPLITS)}"
            )
        if published.setdefault(query, SPLIT_NAMES[name]) != SPLIT_NAMES[name]:
            raise SmecError(
                f"{path} puts the query {query!r} in two splits, {published[query]!r} and {name!r}. A query belongs to "
                "one split: correct the column."
            )
    return published
