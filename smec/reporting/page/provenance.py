"""Where the results come from: commit, versions, checksums."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from smec.analysis.cells import AVERAGE
from smec.files import read_json
from smec.reporting.page.markup import Cells, literal
from smec.runs import folder_of

PACKAGE = Path(__file__).parents[2]
HERE = ("smec", "numpy", "pandas", "scipy", "matplotlib", "pytrec-eval-terrier", "docutils", "itables")
"""Packages that make tables, figures and the page."""


def commit() -> tuple[str, bool]:
    """Return the commit of the code, empty where it is not in a git checkout, and whether the code differs from it."""
    if _git("ls-files", "--error-unmatch", str(PACKAGE / "__init__.py")) is None:
        return "", False
    code = (str(PACKAGE), str(PACKAGE.parent / "workflow"))
    return _git("rev-parse", "HEAD") or "", bool(_git("status", "--porcelain", "--untracked-files=no", "--", *code))


def versions(results: Path, summaries: Iterable[pd.DataFrame], manifests: Mapping[str, Any]) -> Cells:
    """Return the versions of packages: rows are packages, columns the steps that recorded them.

    Args:
        results: root of the results.
        summaries: tables of scores; the records of their runs are read.
        manifests: by dataset; the embeddings of each are looked at.
    """
    steps = {
        "vectors": [read_json(path).get("versions", {}) for path in _embeddings(results, manifests)],
        "training": [read_json(path).get("versions", {}) for path in _records(results, summaries)],
        "tables and this page": [_here()],
    }
    told = {step: _together(recorded) for step, recorded in steps.items()}
    names = sorted({name for recorded in told.values() for name in recorded}, key=lambda name: (name != "python", name))
    return Cells(["package", *told], [[name, *(told[step].get(name, "") for step in told)] for name in names])


def checksums(manifests: Mapping[str, Mapping[str, Any]]) -> Cells:
    """Return the sha256 of each file of each dataset: rows are files."""
    rows = [
        [dataset, f"{name}.parquet", literal(digest)]
        for dataset, manifest in manifests.items()
        for name, digest in manifest["sha256"].items()
    ]
    return Cells(["dataset", "file", "sha256"], rows)


def _records(results: Path, summaries: Iterable[pd.DataFrame]) -> list[Path]:
    runs = {
        (dataset, backbone, folder_of(method))
        for summary in summaries
        for dataset, backbone, method in summary[["dataset", "backbone", "method"]].itertuples(index=False)
        if dataset != AVERAGE
    }
    return [path for run in sorted(runs) for path in sorted(results.joinpath("runs", *run).glob("seed*/*/record.json"))]


def _embeddings(results: Path, manifests: Iterable[str]) -> list[Path]:
    return [path for name in manifests for path in sorted((results / "embeddings" / name).glob("*/*/manifest.json"))]


def _together(recorded: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return every version of each package that was recorded."""
    found: dict[str, set[str]] = {}
    for versions in recorded:
        for name, version in versions.items():
            found.setdefault(name.replace("_", "-"), set()).add(version)
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _here() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in HERE}


def _git(*arguments: str) -> str | None:
    """Return what git says about the folder of the code, or None where it has nothing to say."""
    try:
        told = subprocess.run(["git", "-C", PACKAGE, *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip()
