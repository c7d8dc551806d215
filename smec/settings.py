"""The base of every settings model: closed, frozen, each field described, faults told in the user's words."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from smec.errors import SmecError, nearest_name

Model = TypeVar("Model", bound="Settings")
Item = TypeVar("Item")

NAME = r"^(?!\.+$)[A-Za-z0-9_.-]+$"
"""Names become folders, files and patterns of the workflow."""


def _not_empty(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if not values:
        raise ValueError("at least one is needed")
    return values


def _distinct(values: tuple[Item, ...]) -> tuple[Item, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is given more than once")
    return values


def _nameable(named: dict[str, Item]) -> dict[str, Item]:
    for name in named:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"the name {name!r} must consist of letters A-Z, digits, '_', '.' and '-'")
    return named


# pydantic's own `min_length` counts only the valid items, and would tell of a fault that is not there.
NonEmpty = Annotated[tuple[Item, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
Distinct = Annotated[
    tuple[Item, ...],
    AfterValidator(_not_empty),
    AfterValidator(_distinct),
    Field(json_schema_extra={"minItems": 1, "uniqueItems": True}),
]
Named = Annotated[
    dict[str, Item], AfterValidator(_nameable), Field(json_schema_extra={"propertyNames": {"pattern": NAME}})
]


class Settings(BaseModel):
    """A group of settings; an unknown key is an error and a value never changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}. {nearest_name(str(key), cls.model_fields)}")
        return values


def validated(model: type[Model], values: Any, where: str) -> Model:
    """Return `values` as a `model`.

    Args:
        model: the settings model.
        values: a mapping, as read from YAML or JSON.
        where: what the values belong to, for the message.

    Raises:
        SmecError: a key is unknown or a value does not fit; all faults are listed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SmecError(f"{where} is not valid: {faults(error)}") from error


def faults(error: ValidationError) -> str:
    """Return the faults of a validation error on one line, each with its key and the value given."""
    told = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        given = "" if isinstance(fault["input"], Mapping) else f" (given: {fault['input']!r})"
        told.append(f"{key}: {message}{given}" if key else message)
    return "; ".join(told)
