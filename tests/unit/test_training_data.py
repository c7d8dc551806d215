"""What training sees of two stores: everything judged or mined, a sample of the rest, under new row numbers."""

import numpy as np
import pytest

from smec.errors import SmecError
from smec.judgements import Judgements
from smec.training_data import collect
from tests.conftest import planted, unit


class Rows:
    """Vectors of which each carries its own row number."""

    def __init__(self, count):
        self.vectors = np.stack([np.arange(count), np.ones(count)], 1).astype(np.float32)

    def __len__(self):
        return len(self.vectors)

    def gather(self, rows):
        return self.vectors[rows]


TRAINING = Judgements.from_triples(np.array([3, 5, 5]), np.array([40, 10, 90]), np.array([1, 2, 1]))
VALIDATION = Judgements.from_triples(np.array([4]), np.array([70]), np.array([1]))
MINED = np.array([[10, 11], [12, -1]])
VALIDATION_MINED = np.array([[99, -1]])


def collected(limit, corpus=100, seed=0):
    return collect(Rows(9), Rows(corpus), TRAINING, VALIDATION, MINED, VALIDATION_MINED, limit, seed)


@pytest.mark.parametrize("limit", [1, 20, 99, 100, 10**6])
def test_every_row_number_still_points_to_the_same_document(limit):
    data = collected(limit)
    numbers = data.documents[:, 0]
    assert numbers[data.positives.corpus_rows].tolist() == [40, 10, 90]
    assert numbers[data.validation.corpus_rows].tolist() == [70]
    assert np.where(data.hard_negatives >= 0, numbers[data.hard_negatives], -1).tolist() == MINED.tolist()
    assert np.where(data.validation_negatives >= 0, numbers[data.validation_negatives], -1).tolist() == [[99, -1]]
    assert data.queries[:, 0].tolist() == [3, 5] and data.validation_queries[:, 0].tolist() == [4]
    assert data.positives.query_rows.tolist() == [0, 1] and data.positives.relevance.tolist() == [1, 2, 1]
    assert (np.diff(numbers) > 0).all(), "documents keep their order"
    assert len(numbers) == min(100, max(limit, 7)), "judged and mined documents are kept whatever the limit"


def test_the_sample_follows_its_seed():
    samples = [collected(30, seed=seed).documents[:, 0].tolist() for seed in (0, 0, 1)]
    assert samples[0] == samples[1] != samples[2]


def test_an_empty_split_or_foreign_negatives_are_refused():
    none = Judgements.from_triples(np.array([]), np.array([]), np.array([]))
    empty = np.zeros((0, 2), np.int64)
    with pytest.raises(SmecError, match=r"training split has no query with a relevant document"):
        collect(Rows(9), Rows(100), none, VALIDATION, empty, VALIDATION_MINED, 50)
    with pytest.raises(SmecError, match=r"validation split has no query .* `validation_fraction`"):
        collect(Rows(9), Rows(100), TRAINING, none, MINED, empty, 50)
    with pytest.raises(SmecError, match=r"mined for 1 training and 1 validation .* have 2 and 1.* mine again"):
        collect(Rows(9), Rows(100), TRAINING, VALIDATION, MINED[:1], VALIDATION_MINED, 50)


def test_merged_holds_training_and_validation_queries(planted_data):
    merged = planted_data.merged()
    first = len(planted_data.queries)
    assert np.array_equal(merged.queries, np.concatenate([planted_data.queries, planted_data.validation_queries]))
    assert merged.positives.offsets.tolist() == list(range(len(merged.queries) + 1))
    assert np.array_equal(merged.positives.corpus_rows[first:], planted_data.validation.corpus_rows)
    assert np.array_equal(merged.hard_negatives[first:], planted_data.validation_negatives)
    assert merged.positives.query_rows.tolist() == list(range(len(merged.queries)))
    assert merged.documents is planted_data.documents


@pytest.mark.parametrize("count", [1, 72, 80, 10_000])
def test_a_labelled_sample_validates_on_the_first_queries(planted_data, count):
    sample = planted_data.labelled_sample(count)
    kept = min(count, 96)
    assert len(sample.validation_queries) == len(sample.validation) == kept
    assert len(sample.validation.corpus_rows) == sample.validation.offsets[-1] == kept
    assert np.array_equal(sample.queries, planted_data.queries)


def test_bases_are_orthonormal_and_the_axes_are_found_once():
    data = planted(queries=8, documents=40)
    assert np.array_equal(data.basis("identity"), np.eye(32, dtype=np.float32))
    assert data.basis("pca") is data.basis("pca")
    assert data.axes @ data.axes.T == pytest.approx(np.eye(32), abs=1e-5)
    assert data.width == 32 and data.documents == pytest.approx(unit(data.documents), abs=1e-6)
