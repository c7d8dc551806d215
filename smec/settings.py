"""The base of every settings model: closed, frozen, each field described, faults told in the user's words."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from smec.errors import SmecError, nearest_name

Model = TypeVar("Model", bound="Settings")


class Settings(BaseModel):
    """A group of settings; an unknown key is an error and a value never changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
