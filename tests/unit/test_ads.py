"""ADS over a run: how the noise falls, what is seen of the selection, what is warned of."""

import pytest
import torch

from smec.ads import SelectionTrace, annealed, commitment_warnings
from smec.options import AdsOptions
from smec.selection import AdaptiveSelection


def test_temperature_falls_geometrically_and_zero_stays_zero():
    assert annealed(1.0, 0.01, 0.0) == 1.0
    assert annealed(1.0, 0.01, 0.5) == pytest.approx(0.1)
    assert annealed(1.0, 0.01, 1.0) == pytest.approx(0.01)
    assert annealed(0.0, 0.5, 0.3) == annealed(0.5, 0.0, 0.3) == 0.0


def notes(entropies, changes):
    return [{"entropy": e, "changed": c} for e, c in zip(entropies, changes, strict=True)]


def test_a_selection_that_settles_is_not_warned_of():
    assert commitment_warnings(notes([1.0, 0.6, 0.1, 0.0, 0.0, 0.0], [0, 0.5, 0.2, 0.1, 0, 0])) == []
    assert commitment_warnings([]) == []


def test_a_selection_that_stays_open_or_keeps_changing_is_warned_of():
    (undecided,) = commitment_warnings(notes([1.0] * 6, [0.0] * 6))
    assert "never commits: entropy 1.00 of 1" in undecided and "`gumbel_temperature`" in undecided
    (restless,) = commitment_warnings(notes([0.0] * 6, [0, 0, 0, 0, 0, 0.3]))
    assert "still changes: 30%" in restless


def trace_of(selection, **own):
    return SelectionTrace(selection, AdsOptions(final_gumbel_temperature=1.0, **own))


def test_the_trace_tells_what_changed_and_how_decided_the_choice_is():
    selection = AdaptiveSelection(torch.tensor([50.0, 40.0, -40.0, -50.0]), [2])
    trace = trace_of(selection)
    assert trace.observe() == {"changed": 0.0, "entropy": pytest.approx(0, abs=1e-6)}
    with torch.no_grad():
        selection.importance.copy_(torch.tensor([0.0, 0.001, 0.002, -0.001]))
    seen = trace.observe()
    assert seen["changed"] == 0.5 and seen["entropy"] > 0.9
    assert trace.observe()["changed"] == 0.0


def test_the_trace_of_several_sizes_is_their_mean():
    selection = AdaptiveSelection(torch.tensor([50.0, 40.0, -40.0, -50.0]), [2, 1])
    trace = trace_of(selection)
    with torch.no_grad():
        selection.importance.copy_(torch.tensor([0.0, 50.0, 40.0, -50.0]))
    assert trace.observe()["changed"] == pytest.approx((1 / 2 + 1) / 2)


def test_a_fixed_choice_never_changes():
    assert trace_of(None).observe() == {"changed": 0.0, "entropy": 0.0}


def test_read_literally_the_noise_at_the_end_is_whole():
    """At a final temperature of .01 a weighted selection has long been decided; a literal one is as open as ever."""
    importance = torch.linspace(0, 1, 20)
    entropies = {
        reading: SelectionTrace(
            AdaptiveSelection(importance, [10]), AdsOptions(final_gumbel_temperature=0.01, gumbel_reading=reading)
        ).observe()["entropy"]
        for reading in ("weighted", "literal")
    }
    assert entropies["weighted"] < 0.1 and entropies["literal"] > 0.7
