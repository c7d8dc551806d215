"""Registries without a list to edit: every module of a package that defines a settings class adds its kind."""

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

from smec.settings import Settings

Kind = TypeVar("Kind", bound=Settings)


def settings_by_kind(package: ModuleType, base: type[Kind]) -> dict[str, type[Kind]]:
    """Return the settings classes of a package by kind, in the alphabetical order of its modules.

    A class counts when its own module lies in `package`, it derives from `base`, and its field `kind` has a default,
    which is the name that a configuration uses.
    """
    found: dict[str, type[Kind]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if not (isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__):
                continue
            field = value.model_fields.get("kind")
            if field is not None and isinstance(field.default, str):
                found[field.default] = value
    return found
