"""Every job runs with what its conda environment holds. Nothing is installed: the rest is hidden from the job."""

import importlib.metadata
import shutil

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.workflow.running import CORES, SMOKE, snakemake

pytestmark = pytest.mark.workflow

BACKBONE = "pydocs_smoke/minilm"
HIDING = """
import sys

if "smec" in sys.orig_argv:
    sys.modules.update(dict.fromkeys({hidden!r}))
"""


def outside(environment):
    """Names that can be imported here and are of packages that an environment lacks."""
    pins = yaml.safe_load(environment.read_text())["dependencies"][-1]["pip"]
    held = {canonicalize_name(Requirement(pin).name) for pin in pins} | {"smec"}
    found = importlib.metadata.packages_distributions()
    return sorted(name for name, owners in found.items() if not held & {canonicalize_name(owner) for owner in owners})


@pytest.mark.parametrize(
    ("environment", "targets"),
    [
        (
            "cpu.yaml",
            [
                *(f"results/metrics/{BACKBONE}/{method}/seed0.parquet" for method in ("smec", "matryoshka_adaptor")),
                "results/tables/equal_cost.csv",
                "results/figures/equal_cost.pdf",
            ],
        ),
        ("cpu.yaml", [f"results/negatives/{BACKBONE}.safetensors"]),
        ("cpu.yaml", ["results/report.html"]),
        ("gpu.yaml", [f"results/runs/{BACKBONE}/smec/seed0/dim24/compressor.safetensors"]),
    ],
    ids=["tables", "mine", "report", "train"],
)
def test_a_job_needs_no_more_than_its_environment(smoke, tmp_path, environment, targets):
    folder = tmp_path / "hidden"
    shutil.copytree(smoke, folder, symlinks=True)
    hidden = outside(folder / "envs" / environment)
    assert ("torch" in hidden) == (environment == "cpu.yaml") and "snakemake" in hidden
    (tmp_path / "sitecustomize.py").write_text(HIDING.format(hidden=hidden))
    told = snakemake(folder, "--cores", CORES, *SMOKE, "--force", *targets, PYTHONPATH=str(tmp_path))
    assert f"{len(targets)} of {len(targets)} steps (100%) done" in told
