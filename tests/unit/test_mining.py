"""Hard negatives: the nearest documents that no judgement calls relevant."""

import numpy as np
import pytest

from smec.judgements import Judgements
from smec.mining import mine_hard_negatives
from tests.conftest import unit


def case(queries=9, documents=40, share=0.1, seed=0):
    rng = np.random.default_rng(seed)
    relevant = rng.random((queries, documents)) < share
    relevant[:, 0] = True
    judged = Judgements.from_triples(*np.nonzero(relevant), np.ones(relevant.sum()))
    return unit(rng.normal(size=(queries, 6))), unit(rng.normal(size=(documents, 6))), judged, relevant


def by_sorting(queries, corpus, relevant, count, own):
    found = np.full((len(queries), count), -1)
    for number, scores in enumerate(queries.astype(np.float64) @ corpus.T.astype(np.float64)):
        order = [d for d in np.argsort(-scores) if not relevant[number, d] and d != own[number]][:count]
        found[number, : len(order)] = order
    return found


@pytest.mark.parametrize("count", [1, 5, 38, 60])
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("block_rows", [7, 1000])
def test_equals_a_full_sort(count, exclude_self, block_rows):
    queries, corpus, judged, relevant = case()
    own = np.arange(len(queries)) + 1 if exclude_self else np.full(len(queries), -1)
    own[-1] = -1
    mined = mine_hard_negatives(queries, corpus, judged, count, own if exclude_self else None, block_rows)
    assert mined.dtype == np.int64 and mined.shape == (9, count)
    assert np.array_equal(mined, by_sorting(queries, corpus, relevant, count, own))
    assert not relevant[np.nonzero(mined >= 0)[0], mined[mined >= 0]].any()


def test_a_query_whose_neighbours_are_all_relevant_is_padded():
    queries, corpus, judged, relevant = case(queries=2, documents=5, share=1.1)
    assert relevant.all()
    assert (mine_hard_negatives(queries, corpus, judged, 3) == -1).all()


def test_none_wanted_gives_no_column():
    queries, corpus, judged, _ = case()
    assert mine_hard_negatives(queries, corpus, judged, 0).shape == (9, 0)
