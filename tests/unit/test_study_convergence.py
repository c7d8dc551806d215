"""The study of convergence: costs by hand, the time of steps, and what the table and the caption say."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from smec.errors import SmecError
from smec.reporting.studies.convergence import render
from smec.reporting.studies.convergence_figure import apart
from smec.studies import convergence as study_module
from smec.studies import parse, step_times
from smec.studies.base import StudyExperiment
from smec.studies.convergence import ALL, COLUMNS, RATIO, ConvergenceStudy, Pair, analyse
from smec.studies.recorded_fits import CURVES, fits_of
from smec.studies.step_times import step_seconds
from tests.fitting import options_of

EXPERIMENT = StudyExperiment("docs", "minilm", (32, 16, 8), 32)
STUDY = ConvergenceStudy(title="Convergence", pairs=(Pair(label="rank", chain="smec", parallel="mrl"),), shares=(1.0,))


def record(kept, loss, **curves):
    """A fit of two epochs of ten steps."""
    by_size = {size.removeprefix("at"): curve for size, curve in curves.items()}
    mean = np.mean(list(by_size.values()), axis=0).tolist()
    return {"steps": 20, "loss": loss, "kept_epoch": kept, CURVES: by_size, "validation_ndcg@10": mean}


CHAIN = [
    record(1, [4.0, 2.0], at32=[0.5, 0.6, 0.7], at16=[0.4, 0.5, 0.6]),
    record(2, [3.0, 2.0], at8=[0.2, 0.3, 0.4]),
]
PARALLEL = [record(2, [6.0, 3.0], at32=[0.5, 0.7, 0.8], at16=[0.4, 0.5, 0.6], at8=[0.2, 0.4, 0.6])]
SECONDS = {"smec": np.array([[0.2, 0.1], [0.4, 0.1], [0.3, 0.1]]), "mrl": np.array([[0.5], [0.4], [0.6]])}


def job(records, seeds=(0,), data=None, experiment=EXPERIMENT):
    return SimpleNamespace(
        settings=STUDY,
        experiments=(experiment,),
        seeds=seeds,
        seeds_of=lambda run: seeds,
        known={run: SimpleNamespace(method=run) for run in ("smec", "mrl")},
        options=options_of,
        records=lambda experiment, run, seed: records[run],
        training_data=lambda experiment: data,
    )


@pytest.fixture
def frame(monkeypatch):
    monkeypatch.setattr(step_times, "step_seconds", lambda *given: SECONDS)
    return analyse(job({"smec": CHAIN, "mrl": PARALLEL}, seeds=(0, 1)))


def value(frame, **wanted):
    rows = frame[(frame[list(wanted)] == list(wanted.values())).all(axis=1)]
    assert len(rows) == 1
    return rows["value"].item()


def test_costs_by_hand(frame):
    assert list(frame.columns) == COLUMNS
    cost = frame[frame["part"] == "cost"]
    plain = {"share": 1.0, "hindsight": False}
    # Wanted at 8 dimensions is .4: the chain reaches it after 20 + 20 steps, the parallel map after 10.
    assert value(cost, size=8, role="chain", measure="steps", **plain) == 40.0
    assert value(cost, size=8, role="parallel", measure="steps", **plain) == 10.0
    assert value(cost, size=8, role=RATIO, measure="steps", **plain) == pytest.approx(4.0)
    assert value(cost, size=8, role="chain", measure="steps", share=1.0, hindsight=True) == 30.0
    assert value(cost, size=8, role="chain", measure="seconds", **plain) == pytest.approx(20 * 0.2 + 20 * 0.1)
    assert value(cost, size=8, role="parallel", measure="seconds", **plain) == pytest.approx(10 * 0.4)
    # Wanted at 32 is .7 and at 16 .6: the parallel map needs all its steps for the second.
    assert value(cost, size=32, role="parallel", measure="steps", **plain) == 10.0
    assert value(cost, size=ALL, role="parallel", measure="steps", **plain) == 20.0
    assert value(cost, size=ALL, role=RATIO, measure="steps", **plain) == pytest.approx(2.0)


def test_curves_run_on_over_the_stages(frame):
    curves = frame[(frame["part"] == "curve") & (frame["role"] == "chain")]
    last = curves[(curves["stage"] == "8") & (curves["measure"] == "validation")]
    assert last["steps"].tolist() == [20.0, 30.0, 40.0]
    assert last["epoch"].tolist() == [2, 3, 4]
    losses = curves[curves["measure"] == "loss"]
    assert losses["epoch"].tolist() == [1, 2, 3, 4]
    assert losses["value"].tolist() == [2.0, 1.0, 1.5, 1.0]  # two levels in each stage
    parallel = frame[(frame["part"] == "curve") & (frame["role"] == "parallel") & (frame["measure"] == "loss")]
    assert parallel["value"].tolist() == [2.0, 1.0]


def test_the_time_of_a_step_is_the_least_of_the_rounds(frame):
    steps = frame[(frame["part"] == "step") & (frame["role"] == "chain")]
    assert steps["stage"].tolist() == ["32 16", "8"]
    assert steps["value"].tolist() == [0.2, 0.1]
    assert steps["high"].tolist() == pytest.approx([0.35, 0.1])


def test_a_run_without_curves_is_told():
    with pytest.raises(SmecError, match="records of pca hold no validation scores by size"):
        fits_of([{"spec": {}}], "pca")


def test_the_time_of_steps_is_taken_per_stage_of_real_fits(planted_data):
    times = step_seconds(job({}, data=planted_data), EXPERIMENT, ["smec", "mrl"], rounds=2)
    assert {run: array.shape for run, array in times.items()} == {"smec": (2, 2), "mrl": (2, 1)}
    assert all((array > 0).all() and (array < 1).all() for array in times.values())


def read_back(frame):
    """The frame as the renderer gets it."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False, na_values=[""])


def test_the_table_and_the_answer(frame):
    rendered = render(read_back(frame), STUDY)
    table = rendered.table
    line = table.loc["rank: 8 dimensions, 100 % of the lower best"]
    assert (line["quality"], line["steps: chain"], line["steps: parallel"]) == ("0.400", "40 [40, 40]", "10 [10, 10]")
    assert line["steps: ratio with hindsight"] == "3.00 [3.00, 3.00]"
    assert table.loc["rank: chain, stage 32 16", "ms per step"] == "200.0 (250.0 to 350.0)"
    assert table.loc["rank: chain, stage 32 16", "epochs until the loss has converged"] == "0.9 [0.9, 0.9]"
    assert table.loc["rank: parallel, stage 32 16 8", "paper, by the same rule"] == "25.0"
    assert table.loc["rank: chain, stage 8", "paper, by the same rule"] == ""
    assert (
        "2.00 [2.00, 2.00] times the steps (more) and 0.75 [0.75, 0.75] times the time (less)" in rendered.full_caption
    )
    assert rendered.numbers["docs.minilm.rank.all.1.steps.chain_parallel"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.1, 1.4, "(more)"),
        (0.7, 0.9, "(less)"),
        (0.9, 1.2, "(more or less: not settled)"),
        (np.nan, np.nan, "(one seed, no interval)"),
    ],
)
def test_the_verdict_follows_the_interval(frame, low, high, said):
    of_time = (frame["role"] == RATIO) & (frame["measure"] == "seconds")
    frame.loc[of_time, ["low", "high"]] = [low, high]
    assert f"times the time {said}" in render(read_back(frame), STUDY).full_caption


def test_no_ratio_where_one_needs_no_step(monkeypatch):
    monkeypatch.setattr(step_times, "step_seconds", lambda *given: SECONDS)
    flat = [record(0, [6.0, 3.0], at32=[0.5, 0.4, 0.4], at16=[0.3, 0.2, 0.2], at8=[0.2, 0.1, 0.1])]
    rendered = render(read_back(analyse(job({"smec": CHAIN, "mrl": flat}))), STUDY)
    assert "there is no ratio" in rendered.full_caption
    assert rendered.table.loc["rank: 8 dimensions, 100 % of the lower best", "steps: ratio"] == "none"


def test_the_figure_has_loss_and_quality_of_each_pair(frame):
    axes = render(read_back(frame), STUDY).figure.axes
    assert [panel.get_ylabel() for panel in axes] == ["loss per level", "validation nDCG@10"]
    assert len(axes[1].get_lines()) == 3 + 3  # three sizes each
    assert sorted(text.get_text() for text in axes[1].texts) == ["16", "32", "8"]
    (epochs,) = axes[0].child_axes
    epochs.figure.draw_without_rendering()
    assert epochs.get_xlabel() == "epochs"
    curves = frame[(frame["part"] == "curve") & (frame["epoch"] == 1)]
    assert epochs.get_xlim()[1] / axes[0].get_xlim()[1] == pytest.approx(1 / curves["steps"].min())


def test_labels_do_not_overlap():
    assert apart({24: 0.5, 48: 0.52, 96: 0.9}, gap=0.1) == [(24, 0.5), (48, pytest.approx(0.6)), (96, 0.9)]


def test_defaults_name_each_run_once():
    assert study_module.ConvergenceStudy is type(parse({"kind": "convergence", "title": "Convergence"}))
    runs = parse({"kind": "convergence", "title": "Convergence"}).runs()
    assert len(runs) == len(set(runs)) == 4
