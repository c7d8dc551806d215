"""Comparisons: differences, tests and the paper's columns by hand, and what the table, figure and caption say."""

import numpy as np
import pytest

from smec import studies
from smec.errors import SmecError
from smec.reporting.studies.comparison import render
from smec.studies.comparison import COLUMNS, analyse, paired_sizes
from tests.scored import job_of

QUERIES = np.linspace(0.1, 0.8, 12)
PLAIN = {"kind": "comparison", "title": "Ablation", "rows": {"MRL": "mrl", "+ SMRL": "smrl"}, "baseline": "MRL"}
P_OF_ALL_SIGNS = 2 / 2**12
"""Of the sign patterns of twelve equal differences only all plus and all minus reach their sum."""


def level(shift):
    """Two seeds, the second .02 better, at each of three sizes."""
    return {size: np.stack([QUERIES + shift[size], QUERIES + shift[size] + 0.02]) for size in (16, 8, 4)}


SCORES = {"mrl": level({16: 0, 8: 0, 4: 0}), "smrl": level({16: 0.05, 8: 0.1, 4: -0.03})}


@pytest.fixture
def frame_of(tmp_path):
    def measure(scores=None, **changes):
        settings = studies.parse(PLAIN | changes)
        return analyse(job_of(tmp_path, settings, scores or {"docs": SCORES}, width=16)), settings

    return measure


def found(frame, row, size, dataset="docs"):
    (line,) = frame[(frame["row"] == row) & (frame["size"] == size) & (frame["dataset"] == dataset)].to_dict("records")
    return line


def test_differences_by_hand(frame_of):
    frame, _ = frame_of()
    assert list(frame.columns) == list(COLUMNS)
    assert frame[["size", "row"]].values.tolist() == [[8, "MRL"], [8, "+ SMRL"], [4, "MRL"], [4, "+ SMRL"]]
    better, worse = found(frame, "+ SMRL", 8), found(frame, "+ SMRL", 4)
    assert better["mean"] == pytest.approx(0.45 + 0.01 + 0.1)
    assert better["low"] < better["mean"] < better["high"]
    assert (better["n_seeds"], better["n_queries"]) == (2, 12)
    assert [better[name] for name in ("difference", "difference_low", "difference_high")] == pytest.approx([0.1] * 3)
    assert worse["difference"] == pytest.approx(-0.03)
    assert better["p"] == worse["p"] == P_OF_ALL_SIGNS
    assert better["p_holm"] == worse["p_holm"] == 2 * P_OF_ALL_SIGNS  # two tests
    assert np.isnan(found(frame, "MRL", 8)["difference"]) and np.isnan(better["paper"])


def test_the_paper_beside_ours_by_hand(frame_of):
    """At 4 and 8 of ours stand 64 and 128 of the paper: .3808 - .3726 and .4621 - .4534."""
    frame, _ = frame_of(paper="ablation")
    small, large = found(frame, "+ SMRL", 4), found(frame, "+ SMRL", 8)
    assert (small["paper_size"], small["paper"]) == (64, 0.3808)
    assert small["paper_difference"] == pytest.approx(0.0082)
    assert small["beyond_paper"] == pytest.approx(-0.03 - 0.0082)
    assert large["beyond_paper"] == pytest.approx(0.1 - 0.0087)
    assert found(frame, "MRL", 8)["paper"] == 0.4534


def test_rows_that_the_paper_lacks_stand_alone(frame_of):
    rows = PLAIN["rows"] | {"grouped": "other"}
    frame, settings = frame_of({"docs": SCORES | {"other": SCORES["smrl"]}}, rows=rows, paper="ablation")
    assert np.isnan(found(frame, "grouped", 8)["paper"])
    assert found(frame, "grouped", 8)["p_holm"] == 4 * P_OF_ALL_SIGNS
    assert render(frame, settings).table.loc["grouped", "paper: nDCG@10"].tolist() == ["", ""]


def test_sizes_of_the_paper_are_paired_where_they_are_equal():
    assert paired_sizes([192, 96, 48, 24], [64, 128, 256, 512]) == {24: 64, 48: 128, 96: 256, 192: 512}
    assert paired_sizes([512, 128, 32], [64, 128, 256, 512]) == {128: 128, 512: 512}
    assert paired_sizes([8, 4], [64, 128, 256]) == {4: 64, 8: 128}


def test_an_average_follows_where_there_are_several_datasets(frame_of):
    other = {"mrl": SCORES["mrl"], "smrl": SCORES["mrl"]}
    frame, settings = frame_of({"docs": SCORES, "papers": other})
    assert found(frame, "+ SMRL", 8, "papers")["difference"] == 0
    assert found(frame, "+ SMRL", 8, "average")["difference"] == pytest.approx(0.05)
    assert found(frame, "+ SMRL", 8, "average")["n_queries"] == 24
    table = render(frame, settings).table
    assert table["dataset"].tolist() == ["docs", "docs", "papers", "papers", "average", "average"]
    assert table.shape == (6, 7)


def test_a_study_averages_the_parts_of_a_set_first(tmp_path):
    other = {"mrl": SCORES["mrl"], "smrl": SCORES["mrl"]}
    groups = {"cqa.a": "cqa", "cqa.b": "cqa"}
    scores = {"docs": other, "cqa.a": SCORES, "cqa.b": other}
    frame = analyse(job_of(tmp_path, studies.parse(PLAIN), scores, width=16, groups=groups))
    gains = {name: found(frame, "+ SMRL", 8, name)["difference"] for name in (*scores, "cqa", "average")}
    assert gains == pytest.approx({"docs": 0, "cqa.a": 0.1, "cqa.b": 0, "cqa": 0.05, "average": 0.025}, abs=1e-12)


def test_a_published_average_stands_beside_our_average(frame_of):
    """At 8 and 4 of ours stand 256 and 128 of the paper: 57.9 - 40.7 and 53.8 - 31.2 percentage points."""
    rows = {"PCA": "mrl", "Matryoshka-Adaptor": "smrl"}
    changes = {"rows": rows, "baseline": "PCA", "paper": "beir_llm2vec"}
    frame, settings = frame_of({"docs": SCORES, "papers": SCORES}, **changes)
    assert frame.loc[frame["dataset"] != "average", "paper"].isna().all()
    assert found(frame, "Matryoshka-Adaptor", 8, "average")["paper_difference"] == pytest.approx(0.172)
    caption = render(frame, settings).full_caption
    assert "On average over the datasets, of 2 differences" in caption and "24 test queries" in caption
    assert "LLM2Vec-7B, read off to ±0.05 percentage points, its 128 and 256 dimensions beside our 4 and 8" in caption
    alone, _ = frame_of({"docs": SCORES}, **changes)
    assert found(alone, "Matryoshka-Adaptor", 4)["paper_difference"] == pytest.approx(0.226)


def test_of_many_datasets_the_average_alone_is_drawn(frame_of):
    few = render(*frame_of(dict.fromkeys("abc", SCORES)))
    many = render(*frame_of(dict.fromkeys("abcd", SCORES)))
    assert [panel.get_title() for panel in few.figure.get_axes()][::2] == ["a: 8", "b: 8", "c: 8", "average: 8"]
    assert [panel.get_title() for panel in many.figure.get_axes()] == ["8 dimensions", "4 dimensions"]
    assert "Drawn: the average" in many.full_caption and "Drawn" not in few.full_caption
    assert len(many.table) == 10


def test_what_a_reader_sees(frame_of):
    frame, settings = frame_of()
    rendered = render(frame, settings)
    assert rendered.table.index.tolist() == ["MRL", "+ SMRL"]
    columns = [name for size in ("8", "4") for name in (size, f"{size}: difference", f"{size}: p (Holm)")]
    assert rendered.table.columns.tolist() == columns
    row = rendered.table.loc["+ SMRL"].tolist()
    assert [cell.split(" [")[0] for cell in row[::3]] == ["0.560", "0.430"] and row[0].endswith("]")
    assert row[1::3] == ["+0.100 [+0.100, +0.100]†", "−0.030 [−0.030, −0.030]‡"]  # noqa: RUF001
    assert [p.removeprefix("< ") for p in row[2::3]] == ["0.001", "0.001"]
    assert rendered.table.loc["MRL"].tolist()[1:3] == ["", ""]
    assert (
        "Of 2 differences from MRL, 1 is significantly positive and 1 significantly negative" in rendered.full_caption
    )
    assert "12 test queries, mean over 2 seeds" in rendered.full_caption and "paper" not in rendered.caption
    assert rendered.numbers["docs.minilm.smrl.8.difference"] == pytest.approx(0.1)
    panels = rendered.figure.get_axes()
    assert [panel.get_title() for panel in panels] == ["8 dimensions", "4 dimensions"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["+ SMRL"]
    assert not rendered.figure.legends


def test_what_a_reader_sees_of_the_paper(frame_of):
    frame, settings = frame_of(paper="ablation")
    rendered = render(frame, settings)
    line = rendered.table.loc["+ SMRL"].iloc[1].to_dict()
    assert line == {
        "dimensions": "4",
        "nDCG@10": rendered.table["nDCG@10"].iloc[3],
        "difference": "−0.030 [−0.030, −0.030]‡",  # noqa: RUF001
        "p (Holm)": "< 0.001",
        "paper: dimensions": "64",
        "paper: nDCG@10": "0.3808",
        "paper: difference": "+0.0082",
        "ours minus paper's": "−0.0382",  # noqa: RUF001
    }
    assert (
        "(dataset and backbone not named), its 64 and 128 dimensions beside our 4 and 8, paired"
        in rendered.full_caption
    )
    assert (
        "1 of 2 differences have the paper's sign, and our interval holds the paper's value in 0."
        in rendered.full_caption
    )
    assert rendered.numbers["docs.minilm.sign_of_paper"] == 1
    hollow = [line for line in rendered.figure.get_axes()[1].get_lines() if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata()[0] for line in hollow] == [pytest.approx(0.0082)]
    assert len(rendered.figure.legends) == 1


def test_rows_keep_their_order_through_a_job_description(frame_of):
    """Job descriptions are written with sorted keys."""
    settings = studies.parse(PLAIN | {"rows": {"MRL": "mrl", "+ SMRL": "smrl", "A": "a"}})
    assert settings.model_dump(mode="json")["rows"] == [["MRL", "mrl"], ["+ SMRL", "smrl"], ["A", "a"]]
    assert studies.parse(settings.model_dump(mode="json")) == settings
    assert settings.runs() == ("mrl", "smrl", "a")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"baseline": "MLR"}, "'MLR' is none of the rows.*'MRL'"),
        ({"rows": {"MRL": "mrl"}}, "at least two rows"),
        ({"paper": "ablations"}, "no published table 'ablations'.*'ablation'"),
        ({"paper": "beir_openai"}, "has no row 'MRL'"),
    ],
)
def test_faults_of_the_settings(changes, told):
    with pytest.raises(SmecError, match=told):
        studies.parse(PLAIN | changes)


def test_a_size_that_an_experiment_lacks(frame_of):
    assert set(frame_of(sizes=[4])[0]["size"]) == {4}
    with pytest.raises(SmecError, match=r"asks for 5 dimensions, but docs with minilm has the sizes \[16, 8, 4\]"):
        frame_of(sizes=[5])
