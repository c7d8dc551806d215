"""The study of gradients: that it follows the very training of the methods, and what its table says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from smec import paper_values
from smec.analysis.gradients import gradients_of
from smec.batches import BatchSampler
from smec.errors import SmecError
from smec.objective import MatryoshkaObjective
from smec.options import SmrlOptions
from smec.reporting.studies.gradients import render
from smec.sides import Sides
from smec.studies import parse
from smec.studies.base import StudyExperiment
from smec.studies.gradients import BETWEEN, COLUMNS, Case, GradientsStudy, _Fits, analyse, follow, levels_of
from tests.fitting import fit_run, options_of

CPU = torch.device("cpu")
EXPERIMENT = StudyExperiment("docs", "minilm", (32, 16, 8, 4), 32)
PLAIN = {"alpha": 0.0, "basis": "identity", "selection": "truncation"}


def job(data, study, seeds=(0,), **own):
    options = options_of("smec", **PLAIN | own)
    return SimpleNamespace(
        settings=study,
        experiments=(EXPERIMENT,),
        seeds=seeds,
        options=lambda run: options,
        training_data=lambda experiment: data,
    )


def study(**own):
    cases = {"losses": (Case(label="rank", run="smec"),), "variants": (), "epochs": 2, "shown_epochs": (0, 1)}
    return GradientsStudy(title="Gradients", **cases | own)


def test_the_first_gradient_is_that_of_the_objective(planted_data):
    options = options_of("smec", **PLAIN, batch_size=len(planted_data.queries))
    batch = next(BatchSampler(planted_data, options, 3, CPU).epoch())
    weight = torch.eye(32, requires_grad=True)
    MatryoshkaObjective(options, 32, CPU)(batch, Sides.shared(weight), [32, 16, 8]).backward()
    expected = gradients_of(weight.grad.numpy(), 32)
    (found,) = follow(planted_data, options, np.eye(32, dtype=np.float32), [32, 16, 8], epochs=1, seed=3)
    assert [found["low"], found["high"], found["variance"]] == pytest.approx(expected, rel=1e-5)
    assert found["net_low"] == pytest.approx(found["low"])


def test_smrl_is_the_first_stage_of_a_chain(planted_data):
    options, start = options_of("smec", **PLAIN), np.eye(32, dtype=np.float32)
    found = follow(planted_data, options, start, [32, 16], epochs=3, seed=0)
    stage = fit_run("smec", planted_data, **PLAIN)[0]
    assert [epoch["loss"] for epoch in found] == pytest.approx(stage.record["loss"], rel=1e-4)


def test_mrl_is_the_parallel_map(planted_data):
    options, start = options_of("smec", **PLAIN), np.eye(32, dtype=np.float32)
    found = follow(planted_data, options, start, [32, 16, 8, 4], epochs=3, seed=0)
    (stage,) = fit_run("mrl", planted_data, alpha=0.0, basis="identity", cost="per_size")
    assert [epoch["loss"] for epoch in found] == pytest.approx(stage.record["loss"], rel=1e-4)


def test_averaged_losses_have_smaller_gradients_and_the_same_ratios(planted_data):
    options, start = options_of("smec", **PLAIN), np.eye(32, dtype=np.float32)
    summed, averaged = (
        follow(planted_data, options, start, [32, 16, 8, 4], 1, 0, reduction)[0] for reduction in ("sum", "mean")
    )
    assert averaged["variance"] == pytest.approx(summed["variance"] / 16, rel=1e-3)
    assert averaged["half_ratio"] == pytest.approx(summed["half_ratio"], rel=1e-3)


@pytest.mark.parametrize(("sizes", "count"), [((32, 16, 8, 4), 3), ((16, 8, 4), 3)])
def test_levels_are_the_width_and_the_largest_sizes(sizes, count):
    levels = levels_of(StudyExperiment("docs", "minilm", sizes, 32), count)
    assert levels == {"mrl": (32, 16, 8), "smrl": (32, 16)}


def test_a_run_with_a_map_for_each_side_is_refused(planted_data):
    job = SimpleNamespace(
        options=lambda run: SmrlOptions(maps="per_side"), training_data=lambda experiment: planted_data
    )
    fits = _Fits(job, StudyExperiment("docs", "minilm", (32, 16), 32))
    with pytest.raises(SmecError, match=r"'rank' follows the gradients of one map, and smec,maps=per_side has one for"):
        list(fits.rows(Case(label="rank", run="smec,maps=per_side"), 1, (0,)))


def test_the_frame(planted_data):
    variants = (Case(label="fewer", run="smec", levels=3), Case(label="averaged", run="smec", reduction="mean"))
    frame = analyse(job(planted_data, study(variants=variants, variant_epochs=1), seeds=(0, 1)))
    assert list(frame.columns) == COLUMNS
    assert frame.groupby("case", sort=False)["epoch"].max().to_dict() == {"rank": 1, "fewer": 0, "averaged": 0}
    assert frame.groupby("case")["n_seeds"].unique().str[0].to_dict() == {"rank": 2, "fewer": 1, "averaged": 1}
    single = frame[(frame["case"] == "fewer") & (frame["measure"] == "variance")].set_index("scheme")
    assert single.loc[BETWEEN, "value"] == pytest.approx(single.loc["mrl", "value"] / single.loc["smrl", "value"])
    assert single.loc[BETWEEN, "expected"] == pytest.approx(29 / 9)
    assert np.isnan(single.loc[BETWEEN, "low"])
    averaged = frame[(frame["case"] == "averaged") & (frame["scheme"] == BETWEEN) & (frame["measure"] == "variance")]
    assert averaged["expected"].item() == pytest.approx((7.0**2 / 2 + 15**2 / 2 + 3**2) / 2 / 3**2 / 4)
    several = frame[(frame["case"] == "rank") & (frame["scheme"] == BETWEEN)]
    assert (several["low"] < several["value"]).all() and (several["value"] < several["high"]).all()


def test_defaults_name_runs_that_exist_once_each():
    runs = parse({"kind": "gradients", "title": "Gradients"}).runs()
    assert len(set(runs)) == len(runs) > 8


def told_frame(ratio, mrl, smrl):
    """Two epochs of the rank loss, in which sizes fall to a quarter."""
    rows = []
    for part, case in [("losses", "rank"), ("variants", "other")]:
        about = {"dataset": "docs", "backbone": "minilm", "part": part, "case": case, "loss": "rank", "n_seeds": 1}
        about |= {"mrl_levels": "32 16 8", "smrl_levels": "32 16", "steps": 4}
        for epoch in (0, 1):
            scale = 4.0**-epoch
            measured = {(BETWEEN, "variance"): ratio, ("mrl", "half_ratio"): mrl, ("smrl", "half_ratio"): smrl}
            for scheme, half in (("mrl", mrl), ("smrl", smrl)):
                measured |= {(scheme, "low"): half * scale, (scheme, "high"): scale, (scheme, "variance"): scale**2}
                measured |= {(scheme, "net_low"): half * scale, (scheme, "net_high"): scale}
            for (scheme, measure), value in measured.items():
                told = {"epoch": epoch, "scheme": scheme, "measure": measure, "value": value, "expected": 3.0}
                rows.append(about | told | {"low": np.nan, "high": np.nan})
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    ("ratios", "agreeing"),
    [((3.0, 2.5, 1.0), "variance, MRL / SMRL; low / high, MRL; low / high, SMRL"), ((9.0, 4.0, 2.0), "none")],
)
def test_the_table_says_what_agrees_with_the_paper(ratios, agreeing):
    rendered = render(told_frame(*ratios), study())
    table = rendered.table
    assert list(table.index) == ["rank, epoch 0", "rank, epoch 1", "rank, epochs 0 to 1", "other, epochs 0 to 1"]
    assert table.loc["rank, epochs 0 to 1", "in the paper's range"] == agreeing
    assert table.loc["rank, epoch 1", "size of SMRL / epoch 0"] == "0.250"
    theirs = paper_values.GRADIENTS
    quotient = theirs["mrl"][0].variance / theirs["smrl"][0].variance
    assert table.loc["rank, epoch 0", "variance, MRL / SMRL: paper"] == f"{quotient:.2f}"
    assert rendered.numbers["docs.minilm.rank.agrees_with_the_paper"] == ("yes" if agreeing != "none" else "no")
    assert ("no case has all three" in rendered.full_caption) == (agreeing == "none")


def test_the_figure_has_two_logarithmic_panels_per_loss():
    axes = render(told_frame(3.0, 2.5, 1.0), study()).figure.axes
    assert len(axes) == 2
    assert {panel.get_yscale() for panel in axes} == {"log"}
    assert len(axes[0].patches) == 2 * 4  # two epochs, four bars each
