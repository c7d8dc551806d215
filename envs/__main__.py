"""Write the conda environments of the rules from the lock: `make lock`.

Snakemake copies an environment file away before it uses it, so pins stand in the file itself, not behind a path.
"""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYTHON = "3.11"
WORKFLOW_ENGINE = ("snakemake", "snakemake-executor-plugin-slurm")
WITHOUT_MODELS = (
    "docutils",
    "itables",
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pydantic",
    "pytrec-eval-terrier",
    "pyyaml",
    "safetensors",
    "scipy",
    "tabulate",
    "threadpoolctl",
    "tqdm",
    "typer",
)


def lock() -> dict[str, str]:
    """Return the line of the lock for each package."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(Requirement(line).name): line for line in lines}


def environments() -> dict[str, str]:
    """Return the text of each environment file by its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = [line for line in project["dependencies"] if Requirement(line).name not in WORKFLOW_ENGINE]
    return {
        "cpu.yaml": _environment("Jobs that load no model: mine, evaluate, table, figure.", WITHOUT_MODELS),
        "gpu.yaml": _environment("Jobs that read, encode or train: fetch, embed, train.", runtime),
    }


def _environment(purpose: str, roots: Iterable[str]) -> str:
    pins = [line.replace("'", '"') for line in _closure(roots)]
    header = [f"# {purpose} Written from requirements.lock by `make lock`.", "channels: [conda-forge, nodefaults]"]
    conda = ["dependencies:", f"  - python={PYTHON}", "  - pip", "  - pip:"]
    return (
        "\n".join([*header, *conda, *(f"      - '{pin}'" if ";" in pin else f"      - {pin}" for pin in pins)]) + "\n"
    )


def _closure(roots: Iterable[str]) -> list[str]:
    """Return the lines of the lock for all that `roots` need, on every platform."""
    pins, pending, seen = lock(), [Requirement(root) for root in roots], set[tuple[str, str]]()
    while pending:
        wanted = pending.pop()
        for extra in ("", *wanted.extras):
            name = canonicalize_name(wanted.name)
            if (name, extra) not in seen and name in pins:
                seen.add((name, extra))
                pending.extend(_needs(name, extra))
    return [pins[name] for name in sorted({name for name, _ in seen})]


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    try:
        declared = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:  # of another platform
        return
    for requirement in map(Requirement, declared):
        asked = re.search(r"extra == [\"']([^\"']+)", str(requirement.marker))
        if asked is None or canonicalize_name(asked[1]) == canonicalize_name(extra):
            yield requirement


if __name__ == "__main__":
    for file, text in environments().items():
        (ROOT / "envs" / file).write_text(text, encoding="utf-8")
