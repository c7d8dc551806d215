"""The files of a BEIR set as published, out of its archive or an unpacked folder, as tables.

What BEIR's own loader passes over is passed over here too, counted instead of refused: the data are published as they
are, and nobody could repair them without changing their checksum. `smec.datasets.beir_folder` is strict instead,
because its folders are the user's own. Texts are read as a stream, so that only what is kept is ever in memory.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json

from smec.errors import SmecError

Tree = Path | zipfile.Path
"""A folder, on disk or inside an archive."""

BLOCK_BYTES = 1 << 24
"""Read at once; no line may be longer."""
TEXT = pa.large_string()
QRELS_COLUMNS = ("query_id", "corpus_id", "relevance")


@contextlib.contextmanager
def opened(archive: Path, name: str) -> Iterator[Tree]:
    """Yield the folder `name` inside a zip archive.

    Raises:
        SmecError: the file is not a whole archive, or holds no such folder.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            tree = zipfile.Path(content, f"{name}/")
            if not tree.exists():
                raise SmecError(f"{archive} holds no folder {name!r}, as the archives of BEIR do. Get the file again.")
            yield tree
    except zipfile.BadZipFile as error:
        raise SmecError(f"{archive} is not a whole archive ({error}). Delete it and run the step again.") from error


def read_texts(file: Tree, titled: bool) -> pa.Table:
    """Return the ids (string) and texts (large_string) of `corpus.jsonl` or `queries.jsonl`, in the order of the file.

    Args:
        file: the file.
        titled: join title and text by a space, as BEIR's models do; else the text alone.

    Raises:
        SmecError: the file is missing or empty, or a line is not a JSON object with a text as `_id`.
    """
    fields = [("_id", pa.string()), ("text", TEXT), *([("title", TEXT)] if titled else [])]
    parsing = pa_json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    reading = pa_json.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
    batches = []
    try:
        with file.open("rb") as stream, pa_json.open_json(stream, reading, parsing) as reader:
            for batch in reader:
                text = pc.fill_null(batch["text"], "")
                if titled:
                    text = pc.binary_join_element_wise(pc.fill_null(batch["title"], ""), text, pa.scalar(" ", TEXT))
                batches.append(pa.table({"id": batch["_id"], "text": pc.utf8_trim_whitespace(text)}))
    except (FileNotFoundError, KeyError) as error:
        raise SmecError(
            f"{file} does not exist. A set of BEIR holds corpus.jsonl, queries.jsonl and qrels/."
        ) from error
    except pa.ArrowInvalid as error:
        raise SmecError(f"{file} is not in BEIR's layout ({error}). Get the set again.") from error
    table = pa.concat_tables(batches)
    if table["id"].null_count:
        raise SmecError(f"{file} has {table['id'].null_count} lines without `_id`. Get the set again.")
    return table


def read_qrels(file: Tree) -> pa.Table:
    """Return query_id, corpus_id (string) and relevance (int32) of a file of judgements.

    A pair that is judged twice counts once, with its last grade: BEIR's loader does so by filling a dictionary.

    Raises:
        SmecError: the file has no lines, too few columns, or a grade that is not a whole number.
    """
    types = [pa.string(), pa.string(), pa.int32()]
    try:
        with file.open("rb") as stream:
            table = pa_csv.read_csv(
                stream,
                pa_csv.ReadOptions(autogenerate_column_names=True, skip_rows=1, use_threads=False),
                pa_csv.ParseOptions(delimiter="\t"),
                pa_csv.ConvertOptions(column_types={f"f{i}": kind for i, kind in enumerate(types)}),
            )
        table = table.select(range(len(types))).rename_columns(list(QRELS_COLUMNS))
    except (pa.ArrowInvalid, IndexError) as error:
        raise SmecError(f"{file} is not a file of judgements in BEIR's layout ({error}). Get the set again.") from error
    grouped = table.group_by(["query_id", "corpus_id"], use_threads=False).aggregate([("relevance", "last")])
    return grouped.rename_columns(["query_id", "corpus_id", "relevance"])
