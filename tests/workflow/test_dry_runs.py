"""Every configuration that is shipped can be planned from a fresh clone, and faults are told before anything runs."""

import pytest
import yaml

from tests.stand_ins import lay_out
from tests.workflow.running import ROOT, snakemake, tool

pytestmark = pytest.mark.workflow

OVERLAYS = sorted(path.name for path in (ROOT / "config").glob("*.yaml") if path.name != "config.yaml")


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_every_configuration_can_be_planned(tree, overlay):
    if overlay:
        named = yaml.safe_load((tree / "config" / overlay).read_text()).get("datasets", {})
        lay_out(tree, {name: settings for name, settings in named.items() if settings})
    told = snakemake(tree, "--dry-run", *(["--configfile", f"config/{overlay}"] if overlay else []))
    assert "This was a dry-run" in told
    for rule in ("fetch", "embed", "mine", "train", "evaluate", "table", "figure"):
        other = f"rule {rule}_without_model:"  # for vectors that a dataset brings
        assert f"rule {rule}:" in told or other in told


MISTAKES = {
    "a misspelt key": ({"seedz": [0]}, "unknown key 'seedz'. Did you mean 'seeds'?"),
    "a misspelt option": ({"methods": {"smec": {"alpa": 0.2}}}, "unknown key 'alpa'. Did you mean 'alpha'?"),
    "a misspelt shared option": ({"training": {"epoch": 2}}, "training.epoch is an option of no configured method"),
    "an unknown method": ({"methods": {"smec_plu": {}}}, "no method 'smec_plu'. Did you mean 'smec_plus'?"),
    "an unknown kind": ({"datasets": {"pydocs": {"kind": "pydoc"}}}, "'pydoc' is unknown. Did you mean 'pydocs'?"),
    "an unknown dataset": (
        {"experiments": [{"dataset": "pydoc", "backbone": "minilm", "sizes": [96]}]},
        "no dataset 'pydoc' in datasets. Did you mean 'pydocs'?",
    ),
    "sizes not decreasing": (
        {"experiments": [{"dataset": "pydocs", "backbone": "minilm", "sizes": [96, 192]}]},
        "experiments.0.sizes: sizes must be positive and strictly decreasing",
    ),
    "sizes above the width": (
        {"experiments": [{"dataset": "pydocs", "backbone": "minilm", "sizes": [768, 96]}]},
        "asks for 768 dimensions, but backbones.minilm has 384",
    ),
    "a missing folder": (
        {
            "datasets": {"mine": {"kind": "beir_folder", "path": "nowhere"}},
            "experiments": [{"dataset": "mine", "backbone": "minilm", "sizes": [96]}],
        },
        "datasets.mine.path in the configuration names nowhere, which does not exist",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_paragraph(tree, tmp_path, mistake):
    values, expected = MISTAKES[mistake]
    overlay = tmp_path / "mistake.yaml"
    overlay.write_text(yaml.safe_dump(values))
    status, told = tool(tree, "snakemake", "--dry-run", "--configfile", str(overlay))
    assert status == 1
    faults = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(faults) == 1 and expected in faults[0], told
    assert told.rstrip().endswith(faults[0]), "nothing follows the message"
    assert "Traceback" not in told and 'File "' not in told


def test_a_mistake_on_the_command_line_is_told_as_well(tree):
    status, told = tool(tree, "snakemake", "--dry-run", "--config", "seedz=[0]")
    assert status == 1 and told.rstrip().endswith("Did you mean 'seeds'?")
