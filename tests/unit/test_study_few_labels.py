"""Few labels: points against the better frozen baseline by hand, and what the caption concludes from them."""

import re

import numpy as np
import pytest

from smec import studies
from smec.errors import SmecError
from smec.reporting.studies.few_labels import render
from smec.studies.base import StudyExperiment
from smec.studies.few_labels import COLUMNS, analyse, sizes_at
from tests.scored import job_of

QUERIES = np.linspace(0.3, 0.6, 12)
PLAIN = {"kind": "few_labels", "title": "Few labels", "labels": [1.0, 0.01], "methods": ["smec", "dive", "smec_plus"]}
FROZEN = {"pca": {8: 0.0, 2: -0.2}, "truncation": {8: -0.1, 2: -0.1}}
"""The better one is pca at 8 and truncation at 2 dimensions."""
LEARNED = {
    "smec,labels=0.01": {8: -0.05, 2: 0.0},
    "smec": {8: 0.1, 2: 0.1},
    "dive,labels=0.01": {8: 0.01, 2: 0.0},
    "dive": {8: 0.05, 2: 0.05},
    "smec_plus,labels=0.01": {8: 0.0, 2: -0.1},
    "smec_plus": {8: 0.2, 2: 0.2},
}
P_OF_ALL_SIGNS = 2 / 2**12


def scores(**changes):
    shifts = FROZEN | LEARNED | {name.replace("__", ",labels="): shift for name, shift in changes.items()}
    return {"docs": {run: {size: [QUERIES + by[size]] for size in by} for run, by in shifts.items()}}


@pytest.fixture
def study(tmp_path):
    def measure(values=None, groups=None, **changes):
        settings = studies.parse(PLAIN | changes)
        frame = analyse(job_of(tmp_path, settings, values or scores(), width=16, groups=groups))
        return frame, render(frame, settings)

    return measure


def point(frame, method, size, share):
    chosen = frame[(frame["method"] == method) & (frame["size"] == size)]
    (found,) = (chosen[chosen["share"] == share] if share else chosen).to_dict("records")
    return found


def test_runs_are_named_by_their_share():
    settings = studies.parse(PLAIN | {"methods": ["smec,alpha=0"], "labels": [1, 0.25, 0.01]})
    assert settings.runs() == (
        "pca",
        "truncation",
        "smec,alpha=0",
        "smec,alpha=0,labels=0.25",
        "smec,alpha=0,labels=0.01",
    )


def test_points_by_hand(study):
    frame, _ = study()
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 2 * (2 + 3 * 2)
    low, high = point(frame, "smec", 8, 0.01), point(frame, "smec", 2, 0.01)
    assert (low["against"], high["against"]) == ("pca", "truncation")
    assert low["difference"] == pytest.approx(-0.05) and high["difference"] == pytest.approx(0.1)
    assert low["difference_low"] == pytest.approx(low["difference_high"])
    assert low["p"] == P_OF_ALL_SIGNS
    assert point(frame, "smec_plus", 8, 0.01)["p"] == 1.0
    assert low["p_holm"] == 12 * P_OF_ALL_SIGNS  # all points but two have the least p that there is
    frozen = point(frame, "pca", 8, None)
    assert frozen["frozen"] and np.isnan(frozen["share"]) and np.isnan(frozen["difference"])
    assert frozen["mean"] == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("divisors", "expected"),
    [((2, 8), (192, 48)), ((1, 4), (384, 96)), ((3,), (96,)), ((16, 32), (24,)), ((8, 2), (192, 48))],
)
def test_sizes_nearest_to_the_shares_of_the_width(divisors, expected):
    """384 / 3 = 128 is nearer to 96 than to 192 by ratio: 1.33 against 1.5."""
    experiment = StudyExperiment("docs", "minilm", (384, 192, 96, 48, 24), 384)
    assert sizes_at(experiment, divisors) == expected


def test_the_table(study):
    _, rendered = study()
    table = rendered.table
    assert table.columns.tolist() == ["dimensions", "1 %", "100 %", "below"]
    assert table.index.tolist() == ["pca", "truncation", "smec", "dive", "smec plus"] * 2
    assert re.fullmatch(r"0\.400 \[0\.\d{3}, 0\.\d{3}\]‡", table.iloc[2]["1 %"])
    means = table.replace(r" \[[^]]*\]", "", regex=True)
    assert means.iloc[2].tolist() == ["8", "0.400‡", "0.550†", "1 of 2 (1‡)"]
    assert means.iloc[0].tolist() == ["8", "0.450", "0.450", ""]
    assert means.iloc[9].tolist() == ["2", "0.350", "0.650†", "0 of 2 (0‡)"]
    assert rendered.numbers["docs.minilm.smec.8.1.difference"] == pytest.approx(-0.05)
    assert rendered.numbers["docs.minilm.pca.2.mean"] == pytest.approx(0.25)


def test_the_figure(study):
    _, rendered = study()
    panels = rendered.figure.get_axes()
    assert [panel.get_title() for panel in panels] == ["8 dimensions", "2 dimensions"]
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["1", "100"]
    lines = {line.get_label(): line for line in panels[0].get_lines()}
    assert list(lines["smec"].get_ydata()) == pytest.approx([0.4, 0.55])
    assert list(lines["pca (no labels)"].get_ydata()) == pytest.approx([0.45, 0.45])
    assert len(panels[0].collections) == 3
    assert [text.get_text() for text in rendered.figure.legends[0].get_texts()] == list(lines)


def test_the_claim_holds_where_others_fall_and_dive_does_not(study):
    caption = study()[1].full_caption
    assert "Below it lie smec at 1 of 4 points (1 significantly); dive and smec plus never." in caption
    assert "DIVE does not, holds here: with at most 10 %" in caption
    assert "significantly, smec falls below it; dive itself does not." in caption
    assert (
        "smec plus stays at or above the better frozen baseline at every point; its smallest lead is +0.000" in caption
    )
    numbers = study()[1].numbers
    assert (numbers["claim"], numbers["smec.below"], numbers["smec_plus.significantly_below"]) == ("holds", 1, 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"smec__0.01": {8: 0.01, 2: 0.0}}, "does not hold here: .* smec does not; dive itself does not"),
        ({"dive__0.01": {8: -0.1, 2: 0.0}}, "does not hold here: .* smec falls below it; dive itself falls below"),
        (
            {"smec_plus__0.01": {8: -0.1, 2: 0.0}},
            "smec plus lies below the better frozen baseline at 1 point; its smallest lead is .0.100",
        ),
        ({"smec__0.01": {8: 0.0, 2: 0.0}}, "No method lies below it at any point"),
    ],
)
def test_the_caption_follows_the_numbers(study, changes, told):
    assert re.search(told, study(scores(**changes))[1].full_caption)


def test_a_claim_that_holds_for_one_of_two_holds_in_part(study):
    values = scores()
    for run in ("search_adaptor", "search_adaptor,labels=0.01"):
        values["docs"][run] = values["docs"]["smec"]
    caption = study(values, methods=["smec", "search_adaptor", "dive"])[1].full_caption
    assert "holds in part here" in caption and "smec falls below it; search adaptor does not;" in caption
    assert "smallest lead" not in caption


@pytest.mark.parametrize("groups", [None, {"docs": "CQADupStack", "other": "CQADupStack"}])
def test_means_over_datasets_are_no_points_of_their_own(study, groups):
    """Neither the average over all datasets nor that of a group counts as one more dataset."""
    values = scores() | {"other": scores()["docs"], "third": scores()["docs"]}
    frame, rendered = study(values, groups)
    means = set(frame.loc[frame["averaged"], "dataset"])
    assert means == {"average"} | set((groups or {}).values())
    assert rendered.numbers["smec.points"] == 3 * 4
    assert "Below it lie smec at 3 of 12 points" in rendered.full_caption


def test_shares_above_the_few_do_not_count(study):
    values = scores()
    values["docs"]["smec"] = values["docs"]["smec,labels=0.01"]
    values["docs"]["smec,labels=0.01"] = values["docs"]["smec_plus,labels=0.01"]
    assert "smec does not; dive" in study(values)[1].full_caption
    assert "smec falls below it; dive" in study(values, few=1.0)[1].full_caption


def test_faults_of_the_settings():
    with pytest.raises(SmecError, match="'pca' is among `methods` and among `frozen`"):
        studies.parse(PLAIN | {"methods": ["pca"]})
    with pytest.raises(SmecError, match="labels"):
        studies.parse(PLAIN | {"labels": [0.0]})
