"""S-XBM by the size of its memory: gains by hand, what is measured of each memory, and what stands beside the paper."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from smec import studies
from smec.paper_values import MEMORY
from smec.reporting.studies.memory import render
from smec.studies.base import StudyJob
from smec.studies.memory import MEAN, NO_LOSS, analyse
from tests.fitting import options_of
from tests.scored import job_of

QUERIES = np.linspace(0.3, 0.6, 12)
SIZES = [0, 1000, 2000]
PLAIN = {"kind": "memory", "title": "Memory", "sizes": SIZES, "rounds": 3}
SHIFTS = {"smec,alpha=0": -0.1, "smec,memory_size=0": 0.0, "smec,memory_size=1000": 0.05, "smec,memory_size=2000": 0.06}
P_OF_ALL_SIGNS = 2 / 2**12


class PlantedJob(StudyJob):
    """A job whose data are planted and whose options are small."""

    def options(self, run):
        own = {"alpha": 0} if "alpha" in run else {"memory_size": int(run.split("=")[1])}
        return options_of("smec", **own)

    def training_data(self, experiment):
        from tests.conftest import planted

        return planted()


def scores():
    # at the full width 32, which the mean leaves out, all are alike
    return {"docs": {run: {32: [QUERIES], 16: [QUERIES + by], 8: [QUERIES + by]} for run, by in SHIFTS.items()}}


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    made = job_of(tmp_path_factory.mktemp("results"), studies.parse(PLAIN), scores(), width=32)
    return analyse(PlantedJob(**{field.name: getattr(made, field.name) for field in fields(made)}))


def row(frame, memory, measure, dim=MEAN):
    chosen = (frame["memory"] == memory) & (frame["measure"] == measure) & (frame["dim"] == dim)
    (found,) = frame[chosen].to_dict("records")
    return found


def test_runs():
    settings = studies.parse(PLAIN | {"entry": "smec_long", "sizes": [0, 5]})
    assert settings.runs() == ("smec_long,memory_size=0", "smec_long,memory_size=5", "smec_long,alpha=0")


def test_quality_by_hand(frame):
    assert row(frame, "1000", "ndcg@10")["value"] == pytest.approx(0.5)
    assert row(frame, "1000", "ndcg@10", 32)["value"] == pytest.approx(0.45)
    gain = row(frame, "1000", f"gain over {NO_LOSS}")
    assert [gain["value"], gain["low"], gain["high"]] == pytest.approx([0.15] * 3)
    assert (gain["p"], gain["p_holm"]) == (P_OF_ALL_SIGNS, pytest.approx(3 * P_OF_ALL_SIGNS))
    assert row(frame, "1000", "gain over 0")["p_holm"] == pytest.approx(2 * P_OF_ALL_SIGNS)
    assert row(frame, "2000", "gain over 1000")["value"] == pytest.approx(0.01)


def test_cost_is_measured_of_each_memory(frame):
    for memory in (NO_LOSS, "0", "1000", "2000"):
        forward, whole = row(frame, memory, "forward seconds"), row(frame, memory, "step seconds")
        assert 0 < forward["low"] <= forward["value"] <= forward["high"]
        assert forward["value"] < whole["value"]
    assert row(frame, "0", "step seconds, ratio to 0")["value"] == 1
    assert row(frame, "1000", "forward seconds, ratio to 1000")["high"] == 1
    for size in (1000, 2000):
        assert row(frame, str(size), "memory bytes")["value"] == size * (32 * 4 + 1) + 16
        assert row(frame, str(size), "filled")["value"] == size
        assert row(frame, str(size), "different vectors")["value"] == 144  # queries and documents of an epoch
    assert row(frame, "2000", "useful neighbours")["value"] < row(frame, "1000", "useful neighbours")["value"] < 10
    assert row(frame, "all", "rounds")["value"] == 3


def through_csv(frame, tmp_path):
    frame.to_csv(tmp_path / "memory.csv", index=False)
    return pd.read_csv(tmp_path / "memory.csv", keep_default_na=False, na_values=[""])


def test_table_stands_beside_the_paper(frame, tmp_path):
    table = render(through_csv(frame, tmp_path), studies.parse(PLAIN)).table
    assert table.index.tolist() == [NO_LOSS, "0", "1,000", "2,000"]
    assert table["over no loss"].tolist()[1:] == [
        "+0.100 [+0.100, +0.100]†",
        "+0.150 [+0.150, +0.150]†",
        "+0.160 [+0.160, +0.160]†",
    ]
    assert table["paper: nDCG@10"].tolist() == ["", "", f"{MEMORY[1000][1]:.4f}", f"{MEMORY[2000][1]:.4f}"]
    assert table["paper: over 1000"].iloc[3] == "+0.0021"
    assert table["gain: ours minus paper's"].iloc[3] == "+0.0079"
    assert table["paper: times 1000"].iloc[3] == "1.33"
    assert table["memory, MB"].tolist() == ["0.0", "0.0", "0.1", "0.3"]


def test_caption_and_numbers_say_what_was_measured(frame, tmp_path):
    rendered = render(through_csv(frame, tmp_path), studies.parse(PLAIN))
    assert "mean over 16 and 8 dimensions" in rendered.full_caption
    assert "The best memory, 2,000, is +0.160 [+0.160, +0.160]† above no loss" in rendered.full_caption
    assert "Significantly above 0 are 1,000 and 2,000." in rendered.full_caption
    assert "the paper's +0.0021 is outside that interval" in rendered.full_caption
    assert "The 2,000 vectors of the largest memory are 144 different ones" in rendered.full_caption
    assert "Of the 10 neighbours of a vector" in rendered.full_caption
    assert rendered.numbers["docs.minilm.2000.gain_over_no_loss"] == pytest.approx(0.16)
    assert rendered.numbers["docs.minilm.2000.memory_bytes"] == 2000 * (32 * 4 + 1) + 16


def test_figure_has_both_axes_and_the_papers_curve(frame, tmp_path):
    figure = render(through_csv(frame, tmp_path), studies.parse(PLAIN)).figure
    ours, papers, *seconds = figure.axes
    assert [panel.get_ylabel() for panel in (ours, papers)] == ["nDCG@10"] * 2
    assert [panel.get_ylabel() for panel in seconds] == ["seconds"] * 2
    assert ours.get_lines()[0].get_ydata() == pytest.approx([0.45, 0.5, 0.51])
    assert papers.get_lines()[0].get_ydata() == pytest.approx([quality for _, quality in MEMORY.values()])
    assert seconds[1].get_lines()[0].get_ydata() == pytest.approx([spent for spent, _ in MEMORY.values()])
    assert seconds[0].get_ylim()[0] == 0


def test_without_the_papers_sizes_nothing_stands_beside_it(frame, tmp_path):
    own = frame[~frame["memory"].isin(["1000", "2000"])]
    rendered = render(through_csv(own, tmp_path), studies.parse(PLAIN))
    assert not [name for name in rendered.table.columns if "paper" in name]
    assert rendered.table.index.tolist() == [NO_LOSS, "0"]
