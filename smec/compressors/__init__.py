"""The methods: one file each, found by the name of the file.

To add one, put a module here that ends in `METHOD = MyMethod()` (see `smec.method.Method`); it is then known to the
configuration, the workflow, the tables and the contract tests.
"""

import importlib
import pkgutil
from functools import cache

from smec.errors import SmecError, nearest_name
from smec.method import Method


@cache
def method_names() -> tuple[str, ...]:
    """Return the names of all methods."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def method_named(name: str) -> Method:
    """Return the method of that name; only its own module is imported.

    Raises:
        SmecError: there is no such method.
    """
    if name not in method_names():
        raise SmecError(f"There is no method {name!r}. {nearest_name(name, method_names())}")
    method: Method = importlib.import_module(f"{__name__}.{name}").METHOD
    return method
