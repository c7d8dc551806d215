"""Whether labels tell anything: some dozens of good ones do, shuffled ones do not."""

import dataclasses

import numpy as np
import pytest

from smec.label_evidence import labels_tell
from tests.conftest import planted


def shuffled(data):
    rng = np.random.default_rng(0)
    return dataclasses.replace(
        data,
        positives=dataclasses.replace(data.positives, corpus_rows=rng.permutation(data.positives.corpus_rows)),
        validation=dataclasses.replace(data.validation, corpus_rows=rng.permutation(data.validation.corpus_rows)),
    )


@pytest.mark.parametrize("most", [60, 1000])
def test_good_labels_do_and_shuffled_ones_do_not(most):
    data = planted(queries=120, documents=200)
    assert labels_tell(data, most)
    assert not labels_tell(shuffled(data), most)


def test_a_handful_is_too_few_to_say():
    assert not labels_tell(planted(queries=120, documents=200), 5)


def test_the_order_of_what_is_asked_is_fixed():
    data = planted(queries=60, documents=100)
    assert labels_tell(data, 60) is labels_tell(data, 60)
