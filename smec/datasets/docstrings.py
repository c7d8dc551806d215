"""Docstrings of public names, read from source files with `ast`; the code itself is never imported."""

import ast
import importlib.metadata
import importlib.util
import logging
import platform
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from smec.errors import SmecError, nearest_name

SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "_test", "_tests", "_vendor", "_vendored", "vendor", "vendored", "externals", "extern"}
    | {"__pycache__", "site-packages", "dist-packages", "lib2to3", "idlelib", "ensurepip", "turtledemo", "node_modules"}
)
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

logger = logging.getLogger(__name__)


class Docstring(NamedTuple):
    """A public qualified name and its dedented docstring."""

    name: str
    text: str


def standard_library_docstrings() -> Iterator[Docstring]:
    """Yield the docstrings of the running interpreter's standard library, in the order of the paths."""
    yield from _folder_docstrings(Path(sysconfig.get_path("stdlib")), "")


def package_docstrings(package: str) -> Iterator[Docstring]:
    """Yield the docstrings of an installed package, in the order of the paths.

    Raises:
        SmecError: the package is not installed.
    """
    yield from _folder_docstrings(_package_folder(package), package)


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of each package, by import name.

    Raises:
        SmecError: a package is not installed.
    """
    owners = importlib.metadata.packages_distributions()
    versions = {"python": platform.python_version()}
    for package in packages:
        _package_folder(package)
        names = owners.get(package, [])
        versions[package] = importlib.metadata.version(names[0]) if names else "unknown"
    return versions


def source_docstrings(source: bytes, module: str, own: bool = True) -> Iterator[Docstring]:
    """Yield the docstrings of one module: its own (if `own`), then those of its public classes, functions and methods.

    A file that this interpreter cannot parse yields nothing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        logger.debug("%s is skipped: %s", module, error)
        return
    text = ast.get_docstring(tree)
    if own and text and text.strip():
        yield Docstring(module, text)
    yield from _definitions(tree.body, module)


def _definitions(body: list[ast.stmt], prefix: str) -> Iterator[Docstring]:
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _definitions(node.body, prefix)
        if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
            continue
        name = f"{prefix}.{node.name}"
        text = ast.get_docstring(node)
        if text and text.strip():
            yield Docstring(name, text)
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, name)


def _folder_docstrings(root: Path, package: str) -> Iterator[Docstring]:
    for path in sorted(root.rglob("*.py"), key=lambda found: found.relative_to(root).parts):
        parts = path.relative_to(root).parts
        module = _module_name(package, parts)
        if module and SKIPPED_FOLDERS.isdisjoint(parts) and not path.name.startswith(("test_", "conftest")):
            public = path.name == "__init__.py" or not path.name.startswith("_")
            yield from source_docstrings(path.read_bytes(), module, own=public)


def _module_name(package: str, parts: tuple[str, ...]) -> str:
    """Return the dotted name without private parts: that is where public names of private modules are offered."""
    names = [*package.split("."), *parts[:-1], parts[-1].removesuffix(".py")]
    return ".".join(name for name in names if name and not name.startswith("_"))


def _package_folder(package: str) -> Path:
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        known = importlib.metadata.packages_distributions()
        raise SmecError(
            f"The package {package!r} of the dataset kind 'pydocs' is not installed here. "
            f"{nearest_name(package, known)} Install it, or take it off the list `packages`."
        )
    return Path(next(iter(spec.submodule_search_locations)))
