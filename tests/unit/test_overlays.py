"""Which overlay a command line brings."""

import pytest

from smec.overlays import INHERITED, overlay_asked_for


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch):
    monkeypatch.setenv(INHERITED, "")
    monkeypatch.delenv(INHERITED)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["snakemake", "--cores", "all"], None),
        (["snakemake", "--cores", "all", "analyses"], "config/analyses.yaml"),
        (["snakemake", "reproduce_paper", "-n"], "config/paper.yaml"),
        (["snakemake", "--cores", "2", "full_parameter"], "config/full_parameter.yaml"),
    ],
)
def test_a_target_brings_its_overlay(words, expected):
    assert overlay_asked_for(words) == expected


def test_a_snakemake_that_is_started_for_one_job_inherits_it():
    overlay_asked_for(["snakemake", "analyses"])
    assert overlay_asked_for(["snakemake", "--target-jobs", "train:seed=0"]) == "config/analyses.yaml"
