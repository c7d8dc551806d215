"""Several domains: gains and differences by hand, and the answer that the caption gives."""

import numpy as np
import pytest

from smec import studies
from smec.errors import SmecError
from smec.reporting.studies.domains import render
from smec.studies.domains import COLUMNS, analyse
from tests.scored import job_of

QUERIES = np.linspace(0.3, 0.6, 12)
PLAIN = {"kind": "domains", "title": "Domains", "together": ["a", "b"], "unseen": ["c"], "methods": ["smec"]}
P_OF_ALL_SIGNS = 2 / 2**12
LEVELS = {
    "a": {"pca": 0.0, "truncation": -0.1, "smec,data=a": 0.2, "smec,data=b": 0.1, "smec,data=a+b": 0.2},
    "b": {"pca": -0.1, "truncation": 0.0, "smec,data=a": -0.05, "smec,data=b": 0.1, "smec,data=a+b": 0.15},
    "c": {"pca": 0.0, "truncation": 0.0, "smec,data=a": 0.0, "smec,data=b": 0.03, "smec,data=a+b": 0.04},
}


@pytest.fixture
def study(tmp_path):
    def measure(levels=LEVELS):
        settings = studies.parse(PLAIN)
        scores = {
            name: {run: {8: [QUERIES + shift], 4: [QUERIES + shift - 0.1]} for run, shift in runs.items()}
            for name, runs in levels.items()
        }
        frame = analyse(job_of(tmp_path, settings, scores, width=16))
        return frame, render(frame, settings)

    return measure


def found(frame, dataset, trained, question, against):
    columns = {"dataset": dataset, "trained": trained, "question": question, "against": against, "size": 8}
    chosen = frame
    for name, value in columns.items():
        chosen = chosen[chosen[name] == value]
    (row,) = chosen.to_dict("records")
    return row


def test_settings_name_runs_and_datasets():
    settings = studies.parse(PLAIN)
    assert settings.runs() == ("pca", "truncation", "smec,data=a", "smec,data=b", "smec,data=a+b")
    assert settings.datasets == ("a", "b", "c")
    assert studies.parse(settings.model_dump(mode="json")) == settings
    assert studies.parse({key: value for key, value in PLAIN.items() if key != "unseen"}).datasets == ("a", "b")


def test_differences_by_hand(study):
    frame, _ = study()
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 3 * 2 * (2 + 3 + 2)
    gain = found(frame, "b", "a", "gain", "truncation")
    assert gain["difference"] == pytest.approx(-0.05) and gain["role"] == "other"
    assert found(frame, "a", "a", "gain", "pca")["role"] == "own"
    assert found(frame, "a", "a+b", "own", "a")["difference"] == pytest.approx(0.0)
    own, other = found(frame, "b", "a+b", "own", "b"), found(frame, "b", "a+b", "other", "a")
    assert own["difference"] == pytest.approx(0.05) == own["difference_low"]
    assert other["difference"] == pytest.approx(0.2)
    assert own["p"] == other["p"] == P_OF_ALL_SIGNS
    assert own["p_holm"] == 4 * P_OF_ALL_SIGNS  # two sets at two sizes
    assert other["p_holm"] == 8 * P_OF_ALL_SIGNS  # these, and two compressors on the unseen set
    assert set(frame.loc[frame["dataset"] == "c", "question"].dropna()) == {"gain", "other"}
    assert frame.loc[frame["role"] == "frozen", "difference"].isna().all()


def test_what_a_reader_sees(study):
    _, rendered = study()
    table = rendered.table
    assert table.columns.tolist() == ["tested on", "8", "4"]
    assert table.index.tolist()[7:14] == [
        "pca",
        "truncation",
        "smec, trained on a",
        "smec, trained on b",
        "smec, trained together",
        "smec: together minus a alone",
        "smec: together minus b alone",
    ]
    assert table["8"].tolist()[7:14] == [
        "0.350",
        "0.450",
        "0.400‡",
        "0.550†",
        "0.600†",
        "+0.200 [+0.200, +0.200]†",
        "+0.050 [+0.050, +0.050]†",
    ]
    assert rendered.numbers["b.minilm.smec.8.joint_minus.b"] == pytest.approx(0.05)
    assert rendered.numbers["c.minilm.smec.4.a_b.gain"] == pytest.approx(0.04)
    panels = rendered.figure.get_axes()
    assert [panel.get_title() for panel in panels] == ["a", "b", "c (unseen)"]
    lines = {line.get_label(): line for line in panels[1].get_lines()}
    assert list(lines["trained on a"].get_ydata()) == pytest.approx([-0.05, -0.05])
    assert list(lines["trained together"].get_ydata()) == pytest.approx([0.15, 0.15])


def test_the_answer_where_the_joint_one_is_better_on_one_set(study):
    caption = study()[1].full_caption
    assert "Here one compressor for all gains quality" in caption
    assert "by +0.000 to +0.000 on a and +0.050 to +0.050 on b, 2 of 4 differences significantly positive" in caption
    assert (
        "On c, which no compressor saw, the joint one is +0.040 to +0.040 from the frozen baseline (2 of 2 points"
        in (caption)
    )
    assert "and +0.040 to +0.040 from the one trained on a and +0.010 to +0.010 from the one trained on b." in caption


@pytest.mark.parametrize(
    ("on_a", "on_b", "verdict"),
    [
        (0.2, 0.1, "no cost of one compressor for all was found"),
        (0.1, 0.1, "one compressor for all costs quality"),
        (0.1, 0.2, "depends on the set and the size"),
    ],
)
def test_the_answer_follows_the_numbers(study, on_a, on_b, verdict):
    levels = LEVELS | {
        "a": LEVELS["a"] | {"smec,data=a+b": on_a},
        "b": LEVELS["b"] | {"smec,data=a+b": on_b},
    }
    rendered = study(levels)[1]
    assert verdict in rendered.full_caption and verdict in rendered.numbers["answer"]


def test_one_domain_is_nothing_to_compare():
    with pytest.raises(SmecError, match="at least two datasets"):
        studies.parse(PLAIN | {"together": ["a"]})
