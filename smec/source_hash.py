"""A hash over the code that a job runs, so that an edit reruns what it changes and a comment reruns nothing."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def source_hash(*modules: str) -> str:
    """Return a hash over the syntax trees, without docstrings, of `modules` and all that they import from this package.

    Imports inside functions count. Packages that find their members by name (`smec.compressors`, `smec.datasets`,
    `smec.backbones`) are hashed as such: name the member that a job uses among `modules`.

    Args:
        modules: dotted names inside `smec`.
    """
    pending, seen = list(modules), set[str]()
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending.extend(_read(module)[0] - seen)
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(f"{module}\0{_read(module)[1]}\0".encode())
    return digest.hexdigest()[:16]


@cache
def data_hash(package: str) -> str:
    """Return a hash over the files below a package that are not Python, such as templates.

    Args:
        package: dotted name inside `smec`.
    """
    folder, digest = _path(package).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _read(module: str) -> tuple[frozenset[str], str]:
    """Return what a module imports from this package, and its syntax tree as text without docstrings."""
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    imported = set[str]()
    for node in _blocks(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [child for child in node.body if not _is_text(child)]
    return frozenset(name for name in imported if _is_ours(name)), ast.dump(tree)


def _blocks(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the module and every statement in it; expressions, most of a tree, hold neither import nor docstring."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, ())
            pending.extend(inner if isinstance(inner, list) else ())


@cache
def _path(module: str) -> Path:
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def _is_ours(module: str) -> bool:
    return module.split(".")[0] == PACKAGE.name and _path(module).exists()


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
