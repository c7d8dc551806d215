"""Which rows of a list are chosen, and what is told of values that choose none."""

import pytest

from smec.datasets.image_choice import chosen
from smec.errors import SmecError

ROWS = [{"maker": f" M{i} ", "year": "2020"} for i in range(30)]


def test_all_columns_have_to_fit_and_nothing_wanted_is_all():
    assert chosen(ROWS, ("maker", "year"), {}, "list", "query_where") == [True] * 30
    found = chosen(ROWS, ("maker", "year"), {"maker": ("M3", " M7"), "year": ("2020",)}, "list", "query_where")
    assert [place for place, fits in enumerate(found) if fits] == [3, 7]


def test_a_cell_that_is_missing_is_an_empty_one():
    assert chosen([{"a": "x"}, {}], ("a",), {"a": ("",)}, "list", "query_where") == [False, True]


def test_of_many_values_the_nearest_or_some_are_named():
    with pytest.raises(SmecError, match=r"'M333' in the column 'maker', which `corpus_where`.*Did you mean 'M3'\?"):
        chosen(ROWS, ("maker",), {"maker": ("M333",)}, "list", "corpus_where")
    with pytest.raises(SmecError, match=r"It has 30 values, such as M0, M1, M10") as told:
        chosen(ROWS, ("maker",), {"maker": ("nobody",)}, "list", "corpus_where")
    assert str(told.value).count("M") < 25
