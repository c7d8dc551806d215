"""Reading a prepared dataset: ids, texts, images, judgements and the manifest. Needs pyarrow and numpy only."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smec.datasets.images import Image
from smec.datasets.splits import SPLITS
from smec.errors import SmecError, nearest_name
from smec.files import read_json, sha256_of_json
from smec.judgements import Judgements
from smec.modality import Modality

Role = Literal["corpus", "queries"]
ROLES = ("corpus", "queries")
IDS_AT_ONCE = 1 << 20
COLUMNS: dict[Modality, set[str]] = {"text": {"text"}, "image": {"file", "image"}, "vectors": {"source_row"}}


def manifest(folder: str | Path) -> dict[str, Any]:
    """Return the manifest of a prepared dataset.

    Raises:
        SmecError: the folder holds no prepared dataset, or its manifest is not JSON.
    """
    content: dict[str, Any] = read_json(Path(folder) / "manifest.json")
    return content


def count(folder: str | Path, role: str) -> int:
    """Return the number of rows of the corpus or the queries."""
    with _file(folder, role) as file:
        return int(file.metadata.num_rows)


def ids(folder: str | Path, role: str, start: int = 0, stop: int | None = None) -> list[str]:
    """Return the ids of the rows `start:stop` of the corpus or the queries, ascending."""
    found: list[str] = _column(folder, role, "id", start, stop).to_pylist()
    return found


def texts(folder: str | Path, role: str, start: int = 0, stop: int | None = None) -> list[str]:
    """Return the texts of the rows `start:stop`, in the order of the ids; only these rows are read.

    Raises:
        SmecError: the dataset has vectors or images in that role, and no text.
    """
    found: list[str] = _column(folder, role, "text", start, stop).to_pylist()
    return found


def modality(folder: str | Path, role: str) -> Modality:
    """Return what the rows of the corpus or the queries are.

    Raises:
        SmecError: the folder holds no prepared dataset, or the file has none of the known columns.
    """
    with _file(folder, _known(role)) as file:
        names = set(file.schema_arrow.names)
    for held, columns in COLUMNS.items():
        if names & columns:
            return held
    raise SmecError(f"{Path(folder) / role}.parquet has none of the columns of a dataset. Prepare the set again.")


def images(folder: str | Path, role: str, start: int = 0, stop: int | None = None) -> list[Image]:
    """Return the images of the rows `start:stop`, in the order of the ids, not yet read.

    Raises:
        SmecError: the dataset holds no images in that role.
    """
    with _file(folder, _known(role)) as file:
        stored = "image" in file.schema_arrow.names
    if stored:
        names, contents = ids(folder, role, start, stop), _column(folder, role, "image", start, stop).to_pylist()
        return [Image(name, content=content) for name, content in zip(names, contents, strict=True)]
    files = _column(folder, role, "file", start, stop).to_pylist()
    root = Path(manifest(folder)["images"][role])
    hashes = _column(folder, role, "sha256", start, stop).to_pylist()
    return [Image(file, path=root / file, sha256=sha256) for file, sha256 in zip(files, hashes, strict=True)]


def source_rows(folder: str | Path, role: str, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
    """Return int64 (n,): the rows of the vector file that belong to the rows `start:stop`, in the order of the ids.

    Raises:
        SmecError: the dataset brings no vectors.
    """
    return _numbers(_column(folder, role, "source_row", start, stop)).astype(np.int64)


def documents_of_the_same_id(folder: str | Path) -> NDArray[np.int64]:
    """Return int64 (queries,): for each query the row of the document that has its id, -1 for none.

    The ids of the corpus are read as a stream: millions of them as Python texts would take gigabytes.
    """
    queries = _column(folder, "queries", "id", 0, None)
    found, first = np.full(len(queries), -1, dtype=np.int64), 0
    with _file(folder, "corpus") as file:
        for batch in file.iter_batches(IDS_AT_ONCE, columns=["id"]):
            query = np.from_dlpack(pc.fill_null(pc.index_in(batch["id"], value_set=queries), -1))
            (row,) = np.nonzero(query >= 0)
            found[query[row]] = first + row
            first += len(batch)
    return found


def judgements(folder: str | Path, split: str) -> Judgements:
    """Return the judgements of one split, all grades kept, as row numbers of `queries.parquet` and `corpus.parquet`.

    Raises:
        SmecError: the split is unknown, or a file of the dataset is missing.
    """
    if split not in SPLITS:
        raise SmecError(f"The split {split!r} is unknown. {nearest_name(split, SPLITS)}")
    members = _members(_table(folder, "split"), split)
    qrels = _table(folder, "qrels")
    corpus, queries = (_column(folder, role, "id", 0, None) for role in ROLES)
    if "group" in qrels.column_names:
        return _of_groups(folder, qrels, _rows(members, queries), corpus, queries)
    kept = qrels.filter(pc.is_in(qrels["query_id"], value_set=members))
    return Judgements.from_triples(
        _rows(kept["query_id"], queries), _rows(kept["corpus_id"], corpus), _numbers(kept["relevance"])
    )


def fingerprint(folder: str | Path, role: str) -> str:
    """Return a sha256 that changes with anything of the corpus or the queries that can change a vector."""
    content = manifest(folder)
    vectors = content.get("vectors", {}).get(_known(role), {}).get("sha256")
    return sha256_of_json({"rows": content["sha256"][role], "vectors": vectors})


def _known(role: str) -> str:
    if role not in ROLES:
        raise SmecError(f"The role {role!r} is unknown. {nearest_name(role, ROLES)}")
    return role


def _file(folder: str | Path, name: str) -> pq.ParquetFile:
    path = Path(folder) / f"{name}.parquet"
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise SmecError(f"{path} does not exist. Prepare the dataset first, or correct the folder.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise SmecError(
            f"{path} is not a whole parquet file ({error}). Delete it and prepare the set again."
        ) from error


def _table(folder: str | Path, name: str) -> pa.Table:
    with _file(folder, name) as file:
        return file.read()


def _column(folder: str | Path, role: str, column: str, start: int, stop: int | None) -> pa.ChunkedArray:
    with _file(folder, _known(role)) as file:
        if column not in file.schema_arrow.names:
            raise SmecError(
                f"{Path(folder) / role}.parquet has no column {column!r}. A set with texts or images needs a backbone "
                "that encodes them, a set of kind 'arrays' needs the backbone 'precomputed'."
            )
        total = file.metadata.num_rows
        first, last, _ = slice(start, stop).indices(total)
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = [i for i, end in enumerate(ends) if end > first and end - sizes[i] < last]
        if not groups:
            return file.schema_arrow.empty_table()[column]
        offset = int(ends[groups[0]]) - sizes[groups[0]]
        return file.read_row_groups(groups, columns=[column])[column].slice(first - offset, last - first)


def _of_groups(
    folder: str | Path, qrels: pa.Table, members: NDArray[np.int64], corpus: pa.ChunkedArray, queries: pa.ChunkedArray
) -> Judgements:
    rows = np.sort(members)
    known = pc.unique(qrels["group"])
    own = pc.fill_null(pc.index_in(queries.take(pa.array(rows)), value_set=corpus), -1)
    return Judgements.from_groups(
        query_rows=rows,
        query_groups=_rows(_column(folder, "queries", "group", 0, None).take(pa.array(rows)), known),
        own=_numbers(own).astype(np.int64),
        groups=_rows(qrels["group"], known),
        documents=_rows(qrels["corpus_id"], corpus),
        relevance=_numbers(qrels["relevance"]),
    )


def _rows(values: pa.ChunkedArray, index: pa.ChunkedArray) -> NDArray[np.int64]:
    return _numbers(pc.index_in(values, value_set=index)).astype(np.int64)


def _members(table: pa.Table, split: str) -> pa.ChunkedArray:
    """Return the query ids of a split. The name is compared as a part of the column: see `_numbers`."""
    names = pc.unique(table["split"])
    place = [*names.to_pylist(), split].index(split)
    return table.filter(pc.is_in(table["split"], value_set=names.slice(place, 1)))["query_id"]


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of numbers without nulls. Arrow's own conversions load pandas, a third of a job's start-up."""
    parts = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
