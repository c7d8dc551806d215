"""Faults in the files of a BEIR folder that BEIR's loader passes over: each is told with the file and the line."""

import csv
import json
from collections.abc import Set
from pathlib import Path

from smec.errors import SmecError

QRELS_COLUMNS = 3


def check_jsonl(path: Path, what: str) -> set[str]:
    """Read `corpus.jsonl` or `queries.jsonl` line by line and return its ids.

    Args:
        path: the file.
        what: what a line holds (document or query), for messages.

    Raises:
        SmecError: the file is missing, a line is not a JSON object with a string `_id` and a text, or an id repeats.
    """
    if not path.exists():
        raise SmecError(f"{path} does not exist. A BEIR folder needs corpus.jsonl, queries.jsonl and qrels/.")
    ids: set[str] = set()
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            identifier = _identifier(line, f"{path}, line {number}", what)
            if identifier in ids:
                raise SmecError(
                    f"{path}, line {number}: the {what} id {identifier!r} occurs a second time. Ids must be unique: "
                    "remove or rename one of the two."
                )
            ids.add(identifier)
    if not ids:
        raise SmecError(f"{path} is empty. Check that the dataset was copied completely.")
    return ids


def check_qrels(path: Path, query_ids: Set[str], corpus_ids: Set[str]) -> None:
    """Read a file of judgements line by line.

    Raises:
        SmecError: there is no header line or no judgement, a line has too few columns or a grade that is not a whole
            number, a pair repeats, or an id is not in `query_ids` and `corpus_ids`.
    """
    pairs: set[tuple[str, str]] = set()
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        header = next(rows, [])
        if len(header) >= QRELS_COLUMNS and _is_whole(header[2]):
            raise SmecError(
                f"{path} begins with a judgement ({header[:3]}) instead of a header line, which BEIR's loader would "
                "skip. Put the line 'query-id<tab>corpus-id<tab>score' at the top."
            )
        for row in rows:
            _check_judgement(row, f"{path}, line {rows.line_num}", query_ids, corpus_ids)
            pair = (row[0], row[1])
            if pair in pairs:
                raise SmecError(
                    f"{path}, line {rows.line_num}: query {row[0]!r} and document {row[1]!r} are judged a second time. "
                    "Keep one of the two lines."
                )
            pairs.add(pair)
    if not pairs:
        raise SmecError(f"{path} holds no judgements: the split is empty. Delete the file or fill it.")


def _check_judgement(row: list[str], where: str, query_ids: Set[str], corpus_ids: Set[str]) -> None:
    if len(row) < QRELS_COLUMNS or not _is_whole(row[2]):
        raise SmecError(f"{where}: expected query-id, corpus-id and a whole number, separated by tabs, got {row}.")
    for identifier, known, what in ((row[0], query_ids, "query"), (row[1], corpus_ids, "document")):
        if identifier not in known:
            raise SmecError(
                f"{where}: the judgement names the {what} {identifier!r}, which the dataset does not hold. Remove the "
                f"line, or add the {what}."
            )


def _identifier(line: str, where: str, what: str) -> str:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise SmecError(f"{where}: not valid JSON ({error}). Each line must be one JSON object.") from error
    identifier = content.get("_id") if isinstance(content, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise SmecError(f"{where}: the {what} has no `_id` that is a text. Give it one, in quotation marks.")
    if not isinstance(content.get("text"), str) or not f"{content.get('title') or ''}{content['text']}".strip():
        raise SmecError(f"{where}: the {what} {identifier!r} has no text, so it has no meaning to encode. Add it.")
    return identifier


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()
