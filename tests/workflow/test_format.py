"""Lint and format of Python and of the workflow."""

import pytest

from tests.workflow.running import tool

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "--diff", "."),
        ("snakefmt", "--check", "--compact-diff", "Snakefile", "workflow"),
        ("snakemake", "--lint"),
    ],
    ids=" ".join,
)
def test_nothing_to_complain_about(tree, command):
    status, told = tool(tree, *command)
    assert status == 0, told
