"""Few labels: nested, at least one, and every row still belongs to its query."""

import numpy as np
import pytest

from smec.label_subset import label_subset
from tests.conftest import planted


@pytest.fixture(scope="module")
def data():
    return planted()


def rows_of(part, whole):
    return [int(np.flatnonzero((whole == row).all(axis=1))[0]) for row in part]


def test_all_labels_are_the_same_data(data):
    assert label_subset(data, 1.0, 0) is data


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_each_query_keeps_its_documents_and_negatives(data, share):
    small = label_subset(data, share, 3)
    kept = rows_of(small.queries, data.queries)
    assert len(kept) == max(1, round(share * len(data.queries))) and kept == sorted(kept)
    assert len(small.validation_queries) == max(1, round(share * len(data.validation_queries)))
    assert len(small.positives) == len(kept) == len(small.hard_negatives)
    for place, row in enumerate(kept):
        own = slice(small.positives.offsets[place], small.positives.offsets[place + 1])
        was = slice(data.positives.offsets[row], data.positives.offsets[row + 1])
        assert small.positives.corpus_rows[own].tolist() == data.positives.corpus_rows[was].tolist()
        assert small.hard_negatives[place].tolist() == data.hard_negatives[row].tolist()
    assert small.documents is data.documents
    assert len(small.merged().queries) == len(small.queries) + len(small.validation_queries)


def test_a_smaller_share_is_a_subset_of_a_larger_one_and_the_seed_decides(data):
    small, large, other = (rows_of(label_subset(data, share, seed).queries, data.queries)
                           for share, seed in ((0.1, 0), (0.4, 0), (0.4, 1)))  # fmt: skip
    assert set(small) < set(large) and set(large) != set(other)
