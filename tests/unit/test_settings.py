"""Faults of settings in the user's words."""

import pytest
from pydantic import Field, ValidationError

from smec.errors import SmecError
from smec.settings import Settings, validated


class Inner(Settings):
    depth: int = Field(1, ge=1, description="How deep.")


class Outer(Settings):
    rate: float = Field(0.5, gt=0, description="How fast.")
    inner: Inner = Inner()


def test_good_values_pass_and_cannot_change():
    settings = validated(Outer, {"rate": 2, "inner": {"depth": 3}}, "here")
    assert settings.rate == 2.0 and settings.inner.depth == 3
    with pytest.raises(ValidationError, match=r"frozen"):
        settings.rate = 1.0


def test_a_misspelt_key_suggests_the_nearest():
    with pytest.raises(SmecError, match=r"here is not valid: unknown key 'rat'. Did you mean 'rate'?"):
        validated(Outer, {"rat": 1}, "here")
    with pytest.raises(SmecError, match=r"inner: unknown key 'dpth'. Did you mean 'depth'?"):
        validated(Outer, {"inner": {"dpth": 1}}, "here")


def test_a_far_key_lists_the_known():
    with pytest.raises(SmecError, match=r"Known names: inner, rate"):
        validated(Outer, {"zzz": 1}, "here")


def test_every_fault_is_told_with_what_was_given():
    with pytest.raises(SmecError) as caught:
        validated(Outer, {"rate": -1, "inner": {"depth": "deep"}}, "methods.x")
    told = str(caught.value)
    assert told.startswith("methods.x is not valid: ")
    assert "rate: Input should be greater than 0 (given: -1)" in told
    assert "inner.depth: " in told and "(given: 'deep')" in told and "\n" not in told


@pytest.mark.parametrize("values", [None, 3, ["rate"], "rate"])
def test_what_is_no_mapping_is_refused(values):
    with pytest.raises(SmecError, match=r"here is not valid"):
        validated(Outer, values, "here")
