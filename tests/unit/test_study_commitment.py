"""Commitment of ADS: what the records say by hand, that a temperature too high is told, and what a reader sees."""

import numpy as np
import pytest

from smec import studies
from smec.ads import SETTLED_CHANGE, late_change
from smec.errors import SmecError
from smec.files import write_json
from smec.reporting.studies.commitment import render
from smec.selection import COMMITTED_ENTROPY
from smec.studies.base import StudyRun
from smec.studies.commitment import COLUMNS, analyse, run_of
from tests.fitting import fit_run
from tests.scored import BACKBONE, job_of

QUERIES = np.linspace(0.1, 0.8, 12)
COLD, HOT = (1.0, 0.1), (50.0, 50.0)
NOTES = {
    COLD: [{"entropy": e, "changed": c} for e, c in ((0.9, 0.0), (0.4, 0.3), (0.2, 0.04), (0.2, 0.0), (0.1, 0.02))],
    HOT: [{"entropy": 0.99, "changed": c} for c in (0.0, 0.3, 0.2, 0.3, 0.2)],
}
WARNINGS = {COLD: ["exploding gradient: norm 9"], HOT: ["the selection never commits: entropy 0.99 of 1"]}
LEVELS = {COLD: 0.0, HOT: -0.05}


@pytest.fixture
def measured(tmp_path):
    def measure(schedules=(COLD, HOT), spec_size=8, kept=None, **changes):
        plain = {"kind": "commitment", "title": "T", "schedules": schedules, "baseline": COLD}
        settings = studies.parse(plain | changes)
        runs = {run_of(settings.base, schedule): schedule for schedule in schedules}
        scores = {run: {8: np.stack([QUERIES + LEVELS[s]] * 2), 4: np.stack([QUERIES] * 2)} for run, s in runs.items()}
        job = job_of(tmp_path, settings, {"docs": scores}, width=16)
        for run, schedule in runs.items():
            known = StudyRun(run, "smec", {}, (0, 1), {f"docs/{BACKBONE}": run}, {f"docs/{BACKBONE}": ("dim8",)})
            job.known[run] = known
            for seed in (0, 1):
                notes = NOTES[schedule]
                warnings = WARNINGS[schedule] if seed == 0 else []
                record = {"spec": {"size": spec_size}, "selection_per_epoch": notes, "warnings": warnings}
                record["kept_epoch"] = len(notes) - 1 if kept is None else kept
                write_json(tmp_path / run / f"seed{seed}" / "dim8" / "record.json", record)
        return analyse(job), settings

    return measure


def found(frame, schedule, measure, epoch=None):
    rows = frame[(frame["run"] == run_of("smec", schedule)) & (frame["measure"] == measure)]
    (row,) = (rows if epoch is None else rows[rows["epoch"] == epoch]).to_dict("records")
    return row


def test_curves_and_ends_by_hand(measured):
    frame, _ = measured()
    assert list(frame.columns) == list(COLUMNS)
    assert found(frame, COLD, "entropy", 1)["mean"] == pytest.approx(0.4)
    assert found(frame, HOT, "changed", 3)["mean"] == pytest.approx(0.3)
    cold, hot = found(frame, COLD, "final_entropy"), found(frame, HOT, "final_entropy")
    assert (cold["mean"], hot["mean"], cold["limit"]) == pytest.approx((0.1, 0.99, COMMITTED_ENTROPY))
    late = found(frame, HOT, "late_change")
    assert (late["mean"], late["limit"]) == pytest.approx((0.2, SETTLED_CHANGE)), "the last fifth of five notes"


def test_what_came_after_the_kept_epoch_does_not_count(measured):
    frame, _ = measured(kept=1)
    assert found(frame, COLD, "final_entropy")["mean"] == pytest.approx(NOTES[COLD][1]["entropy"])
    assert np.isnan(found(frame, HOT, "late_change")["mean"]), "of two notes none is late"
    assert (frame["measure"] == "entropy").sum() == 2 * 5, "the curves have all epochs"


def test_the_last_epochs_are_the_last_fifth():
    assert late_change([{"changed": c} for c in (0.9,) * 8 + (0.1, 0.2)]) == pytest.approx(0.2)
    assert late_change([{"changed": 0.0}, {"changed": 0.3}]) is None, "the first epoch is not a late one"
    assert late_change([]) is None


def test_only_warnings_of_the_selection_count(measured):
    frame, _ = measured()
    assert found(frame, COLD, "ndcg@10")["detected"] == 0.0
    hot = found(frame, HOT, "ndcg@10")
    assert hot["detected"] == 0.5 and hot["difference"] == pytest.approx(-0.05)
    assert hot["p_holm"] == hot["p"] == 2 / 2**12
    assert np.isnan(found(frame, COLD, "ndcg@10")["difference"])


def test_a_map_for_all_sizes_has_one_record(measured):
    assert len(measured(spec_size=None)[0]) == 2 * (2 * 5 + 3)
    with pytest.raises(SmecError, match=r"at 8 dimensions, seed 0, follows no selection"):
        measured(spec_size=2)


def test_the_stage_has_to_exist(measured):
    with pytest.raises(SmecError, match=r"stage of 16 dimensions, but docs .* has the stages \[8, 4\]"):
        measured(size=16)


def test_the_baseline_has_to_be_tried():
    with pytest.raises(SmecError, match=r"baseline \[1\.0, 0\.1\] is none of the `schedules`"):
        studies.parse({"kind": "commitment", "title": "T", "schedules": [[1, 1]]})


def test_runs_are_named_after_their_temperatures():
    settings = studies.parse({"kind": "commitment", "title": "T", "base": "smec,epochs=5"})
    assert settings.runs()[0] == "smec,epochs=5,gumbel_temperature=0,final_gumbel_temperature=0"
    assert settings.runs()[-1] == "smec,epochs=5,gumbel_temperature=1,final_gumbel_temperature=0.1"


def test_what_a_reader_sees(measured):
    frame, settings = measured()
    rendered = render(frame, settings)
    assert rendered.table.index.tolist() == ["T = 1 to 0.1", "T = 50"]
    assert rendered.table.loc["T = 50"].tolist()[:3] == ["0.99", "20.0 %", "1 of 2 seeds"]
    assert rendered.table.loc["T = 50", "difference"].endswith("‡")
    assert rendered.table.loc["T = 1 to 0.1"].tolist()[:3] == ["0.10", "2.0 %", "0 of 2 seeds"]
    caption = rendered.full_caption
    assert "stage of 8 dimensions" in caption and "12 test queries, mean over 2 seeds" in caption
    assert "Warned of: T = 50; not warned of: T = 1 to 0.1; the lowest is T = 50" in caption
    assert rendered.numbers["docs.minilm.50_to_50.detected"] == 0.5
    entropy, changed, cost = rendered.figure.get_axes()
    lines = {line.get_label(): line for line in entropy.get_lines()}
    assert lines["T = 50"].get_ydata().tolist() == pytest.approx([0.99] * 5)
    hollow = [line.get_markerfacecolor() == "white" for line in cost.get_lines() if line.get_marker() != "None"]
    assert hollow == [False, True]
    assert changed.get_ylabel() == "share changed per epoch"
    assert [label.get_text() for label in cost.get_yticklabels()] == ["T = 1 to 0.1", "T = 50"]


def test_alone_the_baseline_is_shown_without_a_difference(measured):
    frame, settings = measured(schedules=(COLD,))
    rendered = render(frame, settings)
    assert rendered.table["difference"].tolist() == [""]
    assert "not warned of: T = 1 to 0.1 (docs)." in rendered.full_caption


@pytest.mark.parametrize(("temperature", "warned"), [(0.01, False), (50.0, True)])
def test_a_temperature_too_high_is_told_and_a_low_one_is_not(planted_data, temperature, warned):
    """On real training: the very records that the study reads."""
    own = {"gumbel_temperature": temperature, "final_gumbel_temperature": temperature, "importance_learning_rate": 1e-4}
    for one in fit_run("smec", planted_data, sizes=(32, 16), **own):
        assert any(told.startswith("the selection never commits") for told in one.record["warnings"]) == warned
