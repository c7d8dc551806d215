"""Whether a query that is also a document may find itself is the dataset's policy."""

import pytest

from smec.datasets.base import Dataset, DatasetSettings, qrels_table, text_table, write
from smec.self_retrieval import excluded_rows


class TinySettings(DatasetSettings):
    kind: str = "tiny"


def prepared(folder, corpus, queries, exclude_self):
    split = dict.fromkeys(queries, "train") | {queries[0]: "test", queries[1]: "validation"}
    qrels = qrels_table(queries, [corpus[0]] * len(queries), [1] * len(queries))
    tables = (text_table(ids, [f"text {i}" for i in ids]) for ids in (corpus, queries))
    write(Dataset("tiny", *tables, qrels, split, "by hand"), TinySettings(exclude_self=exclude_self), folder)
    return folder


@pytest.mark.parametrize(
    ("corpus", "queries", "expected"),
    [
        (["c", "a", "b"], ["b", "z", "a"], [0, 1, -1]),
        (["m"], ["z", "a", "m"], [-1, 0, -1]),
        (["10", "9", "é"], ["9", "10", "é", "e"], [0, 1, -1, 2]),
    ],
)
def test_rows_of_the_same_id_in_the_order_of_the_ids(tmp_path, corpus, queries, expected):
    assert excluded_rows(prepared(tmp_path, corpus, queries, True)).tolist() == expected


def test_nothing_is_excluded_where_the_dataset_does_not_ask(tmp_path):
    assert excluded_rows(prepared(tmp_path, ["a", "b"], ["a", "b", "c"], False)) is None
