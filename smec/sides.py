"""What queries and documents have each: a map of their own, or both the same one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
Result = TypeVar("Result")

Side = Literal["query", "corpus"]
Maps = Literal["shared", "per_side"]

QUERY, CORPUS = 0, 1
"""The sides as numbers, where vectors of both lie in one tensor."""


@dataclass(frozen=True, eq=False)
class Sides(Generic[Value]):
    """A value for the queries and one for the corpus; where they share it, the same object twice.

    So code that serves both sides is written once, and what is shared is computed once.
    """

    queries: Value
    corpus: Value

    @staticmethod
    def shared(value: Value) -> "Sides[Value]":
        """Return a value that both sides share."""
        return Sides(value, value)

    @property
    def are_one(self) -> bool:
        """Whether both sides share one value."""
        return self.queries is self.corpus

    def each(self, function: Callable[[Value], Result]) -> "Sides[Result]":
        """Return `function` of either side."""
        return combined(function, self)


def combined(function: Callable[..., Result], *sides: Sides[Any]) -> Sides[Result]:
    """Return `function` of the values of the queries, and of those of the corpus; once, where all are shared."""
    of_queries = function(*(pair.queries for pair in sides))
    if all(pair.are_one for pair in sides):
        return Sides.shared(of_queries)
    return Sides(of_queries, function(*(pair.corpus for pair in sides)))


def starting_at(rows: NDArray[np.float32], maps: Maps) -> Sides[NDArray[np.float32]]:
    """Return where training starts: at `rows` on both sides, by one map or by a map for each."""
    return Sides.shared(rows) if maps == "shared" else Sides(rows, rows.copy())


def named_tensors(name: str, matrices: Sides[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the matrices as a stage file names them: `name`, or `name_queries` and `name_corpus`."""
    if matrices.are_one:
        return {name: matrices.queries}
    return {f"{name}_queries": matrices.queries, f"{name}_corpus": matrices.corpus}


def tensors_named(name: str, tensors: Mapping[str, NDArray[Any]]) -> Sides[NDArray[Any]]:
    """Return what `named_tensors` has named."""
    if name in tensors:
        return Sides.shared(tensors[name])
    return Sides(tensors[f"{name}_queries"], tensors[f"{name}_corpus"])
