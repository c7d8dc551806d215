"""Several datasets at once: every row of a part still points to the same vector."""

from dataclasses import replace

import numpy as np

from smec.joint_data import join
from tests.conftest import planted


def documents_of(data, judgements):
    return data.documents[judgements.corpus_rows]


def test_one_part_is_itself():
    data = planted()
    assert join([data]) is data


def test_rows_point_to_the_same_vectors():
    first, second = planted(seed=1), planted(seed=2)
    fewer = replace(second, hard_negatives=second.hard_negatives[:, :2])
    whole = join([first, fewer])
    assert len(whole.queries) == len(first.queries) + len(second.queries)
    for name in ("positives", "validation"):
        expected = [documents_of(part, getattr(part, name)) for part in (first, second)]
        assert (documents_of(whole, getattr(whole, name)) == np.concatenate(expected)).all()
        assert getattr(whole, name).offsets[-1] == len(getattr(whole, name).corpus_rows)
        assert (np.diff(getattr(whole, name).offsets) > 0).all()
    mined = whole.hard_negatives[len(first.queries) :]
    assert (mined[:, 2:] == -1).all()
    assert (whole.documents[mined[:, :2]] == second.documents[fewer.hard_negatives]).all()
    assert (whole.hard_negatives[: len(first.queries)] == first.hard_negatives).all()


def test_a_part_that_excludes_nothing_joins_one_that_does():
    first, second = planted(seed=1), planted(seed=2)
    own = np.arange(len(second.queries)) - 1
    whole = join([first, replace(second, excluded=own)])
    assert (whole.excluded[: len(first.queries)] == -1).all()
    shifted = whole.excluded[len(first.queries) :]
    assert shifted[0] == -1 and shifted[1:].tolist() == (own[1:] + len(first.documents)).tolist()
    assert whole.validation_excluded is None
    assert join([first, second]).excluded is None
