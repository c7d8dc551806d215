"""Numbers, lists and keys as studies write them."""

import numpy as np
import pandas as pd
import pytest

from smec.reporting.display import MINUS, signed
from smec.reporting.phrases import change, counted, key, listed, place_of, probability, seeds_and_queries, share


def test_differences_have_a_sign_and_zero_has_one_only():
    assert signed(0.0124) == "+0.012" and signed(-0.0124) == f"{MINUS}0.012"
    assert signed(-0.0004) == f"{MINUS}0.000" and signed(-1e-17) == "+0.000"


@pytest.mark.parametrize(("p", "told"), [(0.0004, "< 0.001"), (0.0214, "0.021"), (0.314, "0.31"), (np.nan, "")])
def test_probabilities(p, told):
    assert probability(p) == told


def test_a_change_is_marked_where_the_test_finds_it():
    row = {"difference": 0.02, "difference_low": 0.01, "difference_high": 0.03, "p_holm": 0.04}
    assert change(row) == "+0.020 [+0.010, +0.030]†"
    assert change(row | {"p_holm": 0.05}) == "+0.020 [+0.010, +0.030]"
    assert change(row | {"difference": -0.02}).endswith("‡")
    assert change(row | {"difference": np.nan}) == "" == share(np.nan)


def test_lists_and_counts():
    assert [listed([]), listed(["a"]), listed(["a", 2]), listed("abc")] == ["", "a", "a and 2", "a, b and c"]
    assert counted(1, "point") == "1 point" and counted(0, "query", "queries") == "0 queries"


def test_keys_hold_letters_digits_and_dots_alone():
    assert key("pydocs", "+ S-XBM", 48, "p_holm") == "pydocs.s_xbm.48.p_holm"


def test_what_was_averaged_over():
    rows = pd.DataFrame({"n_queries": [900, 300], "n_seeds": [1, 1], "dataset": ["a", "b"], "backbone": ["m", "m"]})
    assert seeds_and_queries(rows) == "300 to 900 test queries, mean over 1 seed"
    assert seeds_and_queries(rows.assign(n_queries=5, n_seeds=[1, 3])) == "5 test queries, mean over 1 to 3 seeds"
    assert place_of(rows, rows.iloc[0]) == {"dataset": "a"}
