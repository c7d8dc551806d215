"""The target for all of the paper: it can be planned anywhere, and its small stand-in is the same jobs."""

import re
from collections import Counter

import pytest

from tests.workflow.running import ROOT, rules_of, shipped, snakemake, tool

pytestmark = pytest.mark.workflow

THIRTEEN = 13
COUNT = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


def jobs(tree, *arguments):
    """Number of jobs of each rule, and what is trained on what."""
    told = snakemake(tree, "reproduce_paper", "--dry-run", *arguments, OPENAI_API_KEY="")
    trained = [(job["dataset"], job["backbone"], job["method"], job["seed"]) for job in rules_of(told, "train")]
    counts = {rule: int(count) for rule, count in COUNT.findall(told)}
    # The backbone is what a stand-in replaces: a model on this machine for the server that is paid for.
    counts["embed"] += counts.pop("embed_without_model", 0)
    return counts, Counter(trained)


def test_the_stand_in_is_the_same_jobs(tree):
    counts, trained = jobs(tree)
    assert (counts, trained) == jobs(tree, "--config", "scale=smoke")
    assert len(trained) >= 150 and trained.total() > 400


def test_the_overlay_can_be_given_by_hand(tree):
    told = snakemake(tree, "--dry-run", "--quiet", "rules", "--configfile", "config/paper.yaml")
    same = snakemake(tree, "reproduce_paper", "--dry-run", "--quiet", "rules")
    assert Counter(COUNT.findall(told.replace("\nall ", "\nreproduce_paper "))) == Counter(COUNT.findall(same))


def test_every_table_of_the_paper_is_planned():
    paper = shipped("paper.yaml")
    for view in ("beir_openai", "beir_llm2vec"):
        assert len(paper.experiments_of(paper.views[view])) == THIRTEEN
    assert {"products10k", "fashion200k_text_to_image", "fashion200k_image_to_text", "quora"} < paper.views.keys()
    assert all(view.paper for view in paper.views.values())
    assert {"ablation", "achievement", "memory", "gradients", "convergence"} < paper.studies.keys()
    assert all("smec" in view.methods for view in paper.views.values())
    widths = {name: values["dim"] for name, values in paper.backbones.items()}
    assert (widths["openai"], widths["qwen2_7b"], widths["qwen2_1b"]) == (3072, 3584, 1536)


def test_an_unknown_scale_is_told(tree):
    status, told = tool(tree, "snakemake", "reproduce_paper", "--dry-run", "--config", "scale=smoek")
    assert status == 1 and "Did you mean 'smoke'?" in told


def test_the_revisions_are_pinned():
    text = (ROOT / "config/paper.yaml").read_text()
    assert text.count("revision: ") == len(re.findall(r"revision: [0-9a-f]{40}$", text, re.MULTILINE)) == 3
