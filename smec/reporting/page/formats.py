"""How numbers are written in the text; a text where a number belongs is an error."""

from collections.abc import Callable, Iterable
from typing import Any

import yaml

from smec.errors import SmecError
from smec.reporting.display import MINUS

TIMES = "\N{MULTIPLICATION SIGN}"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def score(value: Any, digits: int = 3) -> str:
    """Return a score such as 0.752."""
    return _minus(f"{_number(value):.{digits}f}")


def signed(value: Any, digits: int = 3) -> str:
    """Return a difference with its sign, such as +0.012."""
    return _minus(f"{_number(value):+.{digits}f}")


def percent(value: Any, digits: int = 0) -> str:
    """Return a share as a percentage, such as 94 %."""
    return _minus(f"{100 * _number(value):.{digits}f} %")


def times(value: Any, digits: int = 0) -> str:
    """Return a ratio with its sign, such as 4 or 2.5 times, without a fraction that is zero."""
    return f"{_number(value):.{digits}f}".removesuffix("." + "0" * digits) + TIMES


def count(value: Any) -> str:
    """Return a whole number with thousands apart, such as 4,668."""
    return f"{round(_number(value)):,}"


def p_value(value: Any) -> str:
    """Return a p-value such as .012, or < .001."""
    number = _number(value)
    return "< .001" if number < 0.001 else f"{number:.3f}".removeprefix("0")


def words(value: int) -> str:
    """Return a small count as a word."""
    return WORDS[value] if 0 <= value < len(WORDS) else str(value)


def listed(values: Iterable[object]) -> str:
    """Return values as an enumeration: a, b and c."""
    *others, last = [str(value) for value in values] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def yaml_text(value: Any) -> str:
    """Return settings as YAML, in their own order."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


FILTERS: dict[str, Callable[..., str]] = {
    "score": score,
    "signed": signed,
    "percent": percent,
    "times": times,
    "count": count,
    "p_value": p_value,
    "words": words,
    "listed": listed,
}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SmecError(f"A text of the report writes {value!r} as a number, which it is not. Correct the text.")
    return float(value)


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
