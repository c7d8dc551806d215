"""What an edit reruns: all that it changes and nothing else. Only dry runs, on the finished smoke configuration."""

import pytest
import yaml

from smec.runs import parse
from tests.workflow.running import edited, methods, planned, rules, runs_of, shipped

pytestmark = pytest.mark.workflow

REPORT = {"table", "figure", "analyse", "render", "report"}
WITHOUT_A_LOSS = {"truncation", "random", "pca", "whitening", "learned_whitening"}
WITH_A_LOSS = runs_of(shipped("smoke.yaml")) - WITHOUT_A_LOSS


@pytest.fixture
def overlay(tmp_path):
    def written(**values):
        path = tmp_path / "overlay.yaml"
        path.write_text(yaml.safe_dump(values))
        return str(path)

    return written


def stage(method, name):
    return f"results/runs/pydocs_smoke/minilm/{method}/seed0/{name}/compressor.safetensors"


def test_a_comment_and_a_docstring_rerun_nothing(smoke):
    losses = smoke / "smec/losses.py"
    with (
        edited(losses, "import torch\n", "import torch  # a comment\n\n\n"),
        edited(losses, '"""Losses on similarity scores', '"""Scores of similarity, and losses on them'),
    ):
        assert planned(smoke) == []


def test_a_metric_reruns_evaluations(smoke):
    with edited(smoke / "smec/metrics.py", "RECIPROCAL_RANK_DEPTH = 10", "RECIPROCAL_RANK_DEPTH = 20"):
        jobs = planned(smoke)
    assert rules(jobs) == {"evaluate"} | REPORT
    assert methods(jobs, "evaluate") == WITH_A_LOSS | WITHOUT_A_LOSS


def test_a_loss_reruns_the_stages_that_learn_by_it_and_their_evaluations(smoke):
    with edited(smoke / "smec/losses.py", "functional.softplus(behind", "functional.relu(behind"):
        jobs = planned(smoke)
    assert rules(jobs) == {"train", "evaluate"} | REPORT
    assert methods(jobs, "train") == WITH_A_LOSS
    assert methods(jobs, "evaluate") == WITH_A_LOSS


def test_a_plot_reruns_figures(smoke):
    with edited(smoke / "smec/reporting/figures.py", "BAND_OPACITY = 0.12", "BAND_OPACITY = 0.2"):
        assert rules(planned(smoke)) == {"figure", "render", "report"}


def test_a_text_of_the_report_reruns_the_report(smoke):
    with edited(smoke / "smec/reporting/page/text/setup.rst", "is frozen", "stays frozen"):
        assert rules(planned(smoke)) == {"report"}


def test_one_method_reruns_its_own_jobs(smoke):
    with edited(smoke / "smec/compressors/whitening.py", "METHOD = ", "ADDED = 1\nMETHOD = "):
        jobs = planned(smoke)
    assert methods(jobs, "train") == methods(jobs, "evaluate") == {"whitening"}


def test_the_command_line_and_the_summary_rerun_nothing(smoke):
    with (
        edited(smoke / "smec/cli.py", "LOGGER = ", "ADDED = 1\nLOGGER = "),
        edited(smoke / "smec/jobs/summary.py", '"Figures and reports:"', '"Figures:"'),
    ):
        assert planned(smoke) == []


def test_an_option_of_one_method_reruns_that_method(smoke, overlay):
    jobs = planned(smoke, overlay(methods={"smec": {"alpha": 0.25}}))
    assert rules(jobs) == {"train", "evaluate"} | REPORT
    own = {run for run in WITH_A_LOSS if parse(run).entry == "smec" and "alpha" not in parse(run).changes}
    assert methods(jobs, "train") == methods(jobs, "evaluate") == own > {"smec"}
    assert {job.wildcards["stage"] for job in jobs if job.rule == "train"} == {"dim96", "dim24"}


def test_a_title_reruns_its_own_table_and_figure(smoke, overlay):
    jobs = planned(smoke, overlay(views={"equal_cost": {"title": "Another title"}}))
    own = {("table", "equal_cost"), ("figure", "equal_cost"), ("report", None)}
    assert {(job.rule, job.wildcards.get("view")) for job in jobs} <= own
    assert {"table", "report"} <= rules(jobs)


def test_a_key_that_no_job_reads_reruns_nothing(smoke, overlay):
    assert planned(smoke, overlay(train_gpus=1, embed_gpus=1)) == []


def test_another_seed_leaves_the_first_alone(smoke, overlay):
    jobs = planned(smoke, overlay(seeds=[0, 1]))
    assert {job.wildcards["seed"] for job in jobs if job.rule in ("train", "evaluate")} == {"1"}
    assert not {"fetch", "embed", "mine"} & rules(jobs)


def test_a_stage_reads_the_one_before_it_and_no_other(smoke):
    (last,) = planned(smoke, "--force", stage("smec", "dim24"))
    (first,) = planned(smoke, "--force", stage("smec", "dim96"))
    assert [name for name in last.inputs if "/runs/" in name] == [stage("smec", "dim96")]
    assert [name for name in first.inputs if "/runs/" in name] == []


def test_a_new_first_stage_reruns_what_follows_it_in_its_chain(smoke):
    jobs = planned(smoke, "--forcerun", stage("smec", "dim96"))
    assert {(job.wildcards["method"], job.wildcards["stage"]) for job in jobs if job.rule == "train"} == {
        ("smec", "dim96"),
        ("smec", "dim24"),
    }
    assert methods(jobs, "evaluate") == {"smec"}
