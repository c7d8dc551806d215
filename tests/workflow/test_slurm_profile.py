"""What the profile for Slurm asks for, planned without a cluster; tests/slurm/ runs it on one."""

import re

import pytest
import yaml

from tests.workflow.running import ROOT, SMOKE, snakemake

pytestmark = pytest.mark.workflow

PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
PARTITIONS = yaml.safe_load((ROOT / "profiles/slurm/partitions.yaml").read_text())["partitions"]
ATTEMPTS = 1 + PROFILE["retries"]
PLANNED = re.compile(r"^ *rule (\w+):\n(?:(?! *rule ).*\n)*? +(?:threads: (\d+)\n +)?resources: (.*)$", re.MULTILINE)


def asked(tree, attempt, *arguments):
    """Return what each rule asks for in that attempt, by its name: whole numbers alone."""
    profile = ("--workflow-profile", "profiles/slurm", "--attempt", str(attempt))
    told = snakemake(tree, "--dry-run", *profile, *SMOKE, *arguments)
    found = {}
    for rule, threads, resources in PLANNED.findall(told):
        numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)(?:,|$)", resources)}
        found[rule] = {"threads": int(threads or 1)} | numbers
    return found


@pytest.fixture(scope="module")
def first(tree):
    return asked(tree, 1)


@pytest.fixture(scope="module")
def last(tree):
    return asked(tree, ATTEMPTS, "--config", "train_gpus=1")


def test_every_rule_asks_for_more_after_each_failure(first, last):
    factor = 2 ** (ATTEMPTS - 1)
    assert factor > 1 and len(first) > 8
    for rule, resources in first.items():
        assert last[rule]["mem_mb"] == factor * resources["mem_mb"] > 0, rule
        assert last[rule]["runtime"] == factor * resources["runtime"] > 0, rule
        assert last[rule]["threads"] == resources["threads"] <= PROFILE["cores"], rule


def test_embedding_asks_for_a_gpu_and_training_where_the_configuration_says_so(first, last):
    assert {rule for rule, resources in first.items() if resources.get("gpu")} == {"embed"}
    assert {rule for rule, resources in last.items() if resources.get("gpu")} == {"embed", "train"}
    assert PROFILE["set-resources"]["embed_part"] == PROFILE["set-resources"]["embed"]
    assert PROFILE["set-resource-scopes"] == {"gpu": "local"}, "each group is limited, and not all of them together"


def test_a_store_that_a_server_fills_holds_no_gpu_and_one_of_them_runs_at_a_time(tree, tmp_path):
    """The vectors of the API and those that a dataset brings; what a model makes asks for a GPU as ever."""
    asked_for = {"openai": {"kind": "openai", "dim": 8}, "ours": {"kind": "precomputed", "dim": 8}}
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"backbones": asked_for}))
    targets = [f"results/embeddings/pydocs_smoke/{name}/queries/manifest.json" for name in (*asked_for, "minilm")]
    found = {}
    for target in targets:
        told = snakemake(tree, "--dry-run", "--workflow-profile", "profiles/slurm", *SMOKE, str(overlay), "--", target)
        (rule, resources) = next((rule, told) for rule, _, told in PLANNED.findall(told) if rule.startswith("embed"))
        found[rule] = [*found.get(rule, []), resources]
    assert [("api=1" in told, "gpu=0" in told) for told in found["embed_without_model"]] == [
        (True, True),
        (False, True),
    ]
    assert ["gpu=1" in told for told in found["embed"]] == [True]
    for profile in ("default", "slurm"):
        limits = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())["resources"]
        assert limits in (["gpu=1", "api=1"], {"gpu": 1, "api": 1})


def test_the_last_attempt_fits_the_partitions(last):
    for rule, resources in last.items():
        limits = PARTITIONS["gpu" if resources.get("gpu") else "cpu"]
        days = int(limits["max_runtime"].removesuffix("d"))
        assert resources["runtime"] <= days * 24 * 60, rule
        assert resources["mem_mb"] <= limits["max_mem_mb"] and resources["threads"] <= limits["max_threads"], rule


def test_the_profile_names_rules_that_there_are(first):
    rules = re.findall(
        r"^rule (\w+):|^use rule \w+ as (\w+) with",
        "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk")),
        re.M,
    )
    assert (PROFILE["groups"].keys() | PROFILE["set-resources"].keys()) <= set(map("".join, rules))
    assert PROFILE["group-components"].keys() < set(PROFILE["groups"].values())


def test_a_chain_of_stages_with_its_scores_waits_in_the_queue_once(tree):
    told = snakemake(tree, "--dry-run", "--workflow-profile", "profiles/slurm")
    jobs = sum(int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", told, re.MULTILINE) if rule != "total") // 2
    groups = told.count("Group job fits")
    assert jobs > 100 and 0 < groups <= jobs / 10


def test_the_profile_is_the_default_one_in_all_that_is_not_of_the_cluster():
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    shared = default.keys() - {"resources"}
    assert {key: PROFILE.get(key) for key in shared} == {key: default[key] for key in shared}
