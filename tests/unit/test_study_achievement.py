"""Achievement rates: what a chain has kept against WARE worked out apart, and what table, figure and caption say."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from smec import studies
from smec.analysis.pairs import sample_pairs
from smec.analysis.ware import ware
from smec.errors import SmecError
from smec.method import Stage
from smec.paper_values import ACHIEVEMENT_RATE
from smec.reporting.studies.achievement import render
from smec.studies.achievement import COLUMNS, analyse, paper_size
from smec.studies.base import StudyExperiment
from smec.studies.kept_dimensions import first_map, kept_dimensions, require_selection
from tests.fitting import fit_run, options_of

SIZES = (32, 16, 8)
EXPERIMENT = StudyExperiment("docs", "minilm", SIZES, 32)
IDENTITY = {"basis": "identity"}


@pytest.fixture(scope="module")
def runs(planted_data):
    """Options and stages, by seed, of the chains that the tests look at; they barely move."""

    def chain(**own):
        own = IDENTITY | {"learning_rate": 1e-9} | own
        return options_of("smec", **own), {
            seed: [one.stage for one in fit_run("smec", planted_data, sizes=SIZES, seed=seed, **own)] for seed in (0, 1)
        }

    return {"smec": chain(), "smec,selection=random": chain(selection="random"), "nested": chain(levels="nested")}


@pytest.fixture
def measured(planted_data, runs):
    def measure(data=planted_data, experiment=EXPERIMENT, **changes):
        plain = {"kind": "achievement", "title": "ADS", "chains": {"ads": "smec", "drawn": "smec,selection=random"}}
        settings = studies.parse(plain | changes)
        job = SimpleNamespace(
            settings=settings,
            experiments=(experiment,),
            options=lambda run: runs[run][0],
            seeds_of=lambda run: tuple(runs[run][1]),
            stages=lambda experiment, run, seed: runs[run][1][seed],
            training_data=lambda experiment: data,
        )
        return analyse(job), settings

    return measure


def found(frame, selection, learned=False, chain="ads", space="frozen", size=16):
    same = (frame["selection"] == selection) & (frame["learned"] == learned) & (frame["chain"] == chain)
    (row,) = frame[same & (frame["space"] == space) & (frame["size"] == size)].to_dict("records")
    return row


def best_by_ware(data, count):
    """The dimensions of largest WARE, from the definition by way of the whole set of pairs."""
    pairs = sample_pairs(data.validation, data.validation_negatives, 10_000)
    return set(np.argsort(-ware(data.validation_queries, data.documents, pairs).values())[:count].tolist())


def test_what_is_left_of_the_start_is_followed_through_the_stages():
    stages = [
        Stage("smec", {"selected": np.array([1, 2, 5, 7])}, {}),
        Stage("smec", {"selected": np.array([0, 3])}, {}),
    ]
    assert {size: rows.tolist() for size, rows in kept_dimensions(stages).items()} == {4: [1, 2, 5, 7], 2: [1, 7]}
    with pytest.raises(SmecError, match="A stage of mrl does not say what it selected"):
        kept_dimensions([Stage("mrl", {}, {})])


def test_the_map_of_a_first_stage_has_its_rows_in_the_order_of_the_start(runs):
    for name in ("smec", "nested"):
        assert first_map(runs[name][1][0][0], 32).corpus == pytest.approx(np.eye(32), abs=1e-5)
    with pytest.raises(SmecError, match="stores no map of all 64 dimensions"):
        first_map(runs["smec"][1][0][0], 64)


@pytest.mark.parametrize(
    ("name", "own", "reason"),
    [("pca", {}, "no `selection`"), ("smec", {"rotation": "pca"}, "`rotation`"), ("smec_plus", {}, "`rotation`")],
)
def test_runs_whose_dimensions_cannot_be_followed_are_refused(name, own, reason):
    with pytest.raises(SmecError, match=reason):
        require_selection(options_of(name, **own), name)


def test_rates_are_shares_of_the_top_by_ware(measured, planted_data, runs):
    frame, _ = measured()
    assert list(frame.columns) == list(COLUMNS)
    for size in (16, 8):
        top = best_by_ware(planted_data, size)
        cut = found(frame, "truncation", size=size)
        assert cut["mean"] == pytest.approx(len(top & set(range(size))) / size)
        kept = [kept_dimensions(stages)[size] for stages in runs["smec"][1].values()]
        assert found(frame, "ads", learned=True, size=size)["mean"] == pytest.approx(
            np.mean([len(top & set(rows.tolist())) / size for rows in kept])
        )
    assert (cut["n_pairs"], cut["n_queries"], cut["n_seeds"], cut["chance"]) == (24 * 7, 24, 2, 0.25)
    assert cut["n_left_out"] >= 0 and cut["low"] <= cut["high"]


def test_a_map_that_has_not_moved_ranks_as_the_frozen_vectors_do(measured):
    frame, _ = measured()
    for rule in ("truncation", "variance", "contribution"):
        assert found(frame, rule, space="trained")["mean"] == found(frame, rule)["mean"]


def test_the_selection_of_a_chain_stands_beside_the_bare_rule(measured):
    frame, _ = measured()
    own = frame[(frame["chain"] == "drawn") & frame["learned"]]
    assert set(own["selection"]) == {"random"} and len(own) == 4
    assert found(frame, "random", chain="drawn")["n_seeds"] == 2


def test_without_neighbours_the_pairs_are_the_relevant_ones(measured):
    frame, _ = measured(neighbours=0, spaces=["frozen"])
    assert set(frame["n_pairs"]) == {24} and set(frame["space"]) == {"frozen"}
    few, _ = measured(pairs=10)
    assert set(few["n_pairs"]) == {10}


def test_contribution_needs_mined_negatives(measured, planted_data):
    bare = dataclasses.replace(planted_data, hard_negatives=np.full_like(planted_data.hard_negatives, -1))
    with pytest.raises(SmecError, match=r"'ADS' chooses by `contribution`.*out of `rules`"):
        measured(data=bare)
    assert len(measured(data=bare, rules=["variance"])[0]) == 16


def test_the_sizes_of_the_paper_stand_beside_equal_shares():
    sizes = (192, 96, 48, 24)
    assert [paper_size(size, 384, sizes) for size in sizes] == [1536, 768, None, 256]
    assert [paper_size(size, 3072, (1536, 768, 256)) for size in (1536, 768, 256)] == [1536, 768, 256]


def test_what_a_reader_sees(measured):
    frame, settings = measured()
    rendered = render(frame, settings)
    table = rendered.table
    assert table.columns.tolist() == ["WARE of", "kept by", "16 of 32", "8 of 32"]
    assert len(table) == 2 * 2 * 5 + 2
    own = found(frame, "ads", learned=True)
    assert table["16 of 32"].iloc[0] == f"{100 * own['mean']:.1f} [{100 * own['low']:.1f}, {100 * own['high']:.1f}]"
    assert table["kept by"].tolist()[10] == "random, trained with"
    ads, cut = (row["16 of 32"] for row in table.iloc[-2:].to_dict("records"))
    assert (ads, cut) == tuple(f"{rate} (1536)" for rate in ACHIEVEMENT_RATE[1536])
    assert "168 pairs of 24 validation queries" in rendered.full_caption and "2 seeds" in rendered.caption
    assert "ads, frozen vectors (docs): ADS is" in rendered.full_caption
    assert "drawn, trained map (docs): random, trained with, achieves" in rendered.full_caption
    assert rendered.numbers["docs.minilm.ads.frozen.own_ads.16"] == own["mean"]
    panels = rendered.figure.get_axes()
    assert [panel.get_title() for panel in panels] == ["ads", "drawn"] * 2
    labels = {text.get_text() for text in rendered.figure.legends[0].get_texts()}
    assert {"ADS", "ADS, paper", "truncation, paper", "random, trained with", "chance"} <= labels


def test_the_verdict_goes_by_the_intervals(measured):
    frame, settings = measured(spaces=["frozen"])
    ours, cut = (
        frame["learned"] & (frame["selection"] == "ads"),
        ~frame["learned"] & (frame["selection"] == "truncation"),
    )
    frame.loc[ours, ["low", "mean", "high"]] = [0.8, 0.85, 0.9]
    frame.loc[cut, ["low", "mean", "high"]] = [0.4, 0.5, 0.6]
    frame.loc[frame["selection"] == "variance", "mean"] = 0.95
    told = "ADS is above truncation at 16 and 8 by their intervals, with 85.0 against 50.0 % at 16; the best rule"
    assert f"{told} there is variance with 95.0." in render(frame, settings).full_caption
    frame.loc[ours & (frame["size"] == 8), ["low", "high"]] = [0.1, 0.2]
    assert "above truncation at 16 and below truncation at 8" in render(frame, settings).full_caption
    frame.loc[ours, ["low", "high"]] = [0.5, 0.7]
    assert "level with truncation" in render(frame, settings).full_caption
