"""`smec plan` counts as Snakemake does, and a run that lacks something ends before its first job."""

import re
from collections import Counter

import pytest
import yaml

from tests.workflow.running import SMOKE, snakemake, tool

pytestmark = pytest.mark.workflow

COUNT = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


def counts(told):
    """The first table of counts."""
    return Counter({rule: int(number) for rule, number in COUNT.findall(told.partition("By phase")[0])})


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (SMOKE, []),
        (("reproduce_paper",), ["backbones.openai: ", "datasets.products10k: ", "datasets.fashion_text_to_image: "]),
    ],
    ids=["smoke", "paper"],
)
def test_the_plan_counts_as_snakemake_does(tree, arguments, missing):
    status, told = tool(tree, "smec", "plan", *arguments, OPENAI_API_KEY="", HF_HUB_OFFLINE="1")
    dry = snakemake(tree, *arguments, "--dry-run", "--quiet", "rules")
    assert counts(told) == counts(dry) and counts(told)["train"] > 30
    assert status == bool(missing)
    fault = told[told.find("error: ") :] if missing else ""
    assert all(part in fault for part in missing) and "Traceback" not in told


def test_a_run_that_lacks_a_key_does_not_start(tree, tmp_path):
    dataset = {"kind": "pydocs", "packages": [], "max_documents": 40}
    values = {
        "datasets": {"lacking": dataset, "gone": {"kind": "beir", "name": "scifact", "download": False}},
        "backbones": {"openai": {"kind": "openai", "dim": 3072}},
        "experiments": [{"dataset": name, "backbone": "openai", "sizes": [96, 48]} for name in ("lacking", "gone")],
        "plan": {"check_network": False},
    }
    overlay = tmp_path / "lacking.yaml"
    overlay.write_text(yaml.safe_dump(values))
    command = ("snakemake", "embeddings", "--cores", "1", "--configfile", str(overlay))
    status, told = tool(tree, *command, OPENAI_API_KEY="")
    assert status == 1 and "Traceback" not in told
    (fault,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert fault.startswith("error: 2 things are missing") and "datasets.gone" in fault and "OPENAI_API_KEY" in fault
    assert "rule fetch" not in told and not (tree / "results/data").exists()
