"""What a memory costs and serves, and times taken in turn, by hand."""

import numpy as np
import pytest
import torch

from smec.analysis.memory import buffer_bytes, peak_bytes, useful_neighbours, vector_numbers
from smec.analysis.memory_step import MemoryStep, data_rows, training_stream
from smec.analysis.timing import in_turn, ratios, spread
from smec.memory import SelectiveMemory
from tests.fitting import options_of


def test_useful_neighbours_by_hand():
    own = np.array([1, 2, 3])
    found = np.array([[4, 5, 6, 7], [2, 2, 4, 4], [3, 3, 3, 3]])  # 4 others; one other, twice; none
    assert useful_neighbours(own, found) == pytest.approx((4 + 1 + 0) / 3)


def test_equal_rows_get_equal_numbers():
    first = np.array([[1, 2], [3, 4], [1, 2]], dtype=np.float32)
    second = np.array([[3, 4], [1, 2.0000002]], dtype=np.float32)
    one, two = vector_numbers(first, second)
    assert one[0] == one[2] != one[1] == two[0]
    assert two[1] not in one


def test_buffer_bytes_by_hand():
    assert buffer_bytes(SelectiveMemory(1000, 384)) == 1000 * (384 * 4 + 1) + 2 * 8


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU's allocator rounds")
def test_peak_bytes_by_hand():
    def call():
        first = torch.zeros(1000)
        second = torch.zeros(2000)
        del first
        return second, torch.zeros(500)

    assert peak_bytes(call) == 4 * 3000


def test_rivals_take_turns():
    order = []

    def call(name):
        order.append(name)
        return (len(order),)

    times = in_turn({name: lambda name=name: call(name) for name in "abc"}, rounds=2, warm_up=1)
    assert "".join(order) == "abcbcacab"
    assert {name: found.ravel().tolist() for name, found in times.items()} == {"a": [6, 8], "b": [4, 9], "c": [5, 7]}


def test_spread_and_ratios_by_hand():
    times, reference = np.array([2.0, 4.0, 9.0]), np.array([1.0, 4.0, 3.0])
    assert spread(times) == (4.0, 3.0, 6.5)
    assert ratios(times, reference) == (2.0, 1.5, 2.5)


def test_the_stream_is_what_training_would_have_seen(planted_data):
    options = options_of("smec")
    batches, seen = training_stream(planted_data, options, 200, 5)
    assert len(batches) == 5 and len(seen) == 200  # an epoch has 2 * 72 vectors: this needs two
    rows = {row.tobytes() for row in np.concatenate([planted_data.queries, planted_data.documents])}
    assert all(row.tobytes() in rows for row in seen.numpy())
    whole = training_stream(planted_data, options, 288, 5)[1]
    assert torch.equal(whole[-200:], seen)


@pytest.mark.parametrize(("own", "expected"), [({"memory_size": 150}, 150), ({"memory_size": 0}, 0), ({"alpha": 0}, 0)])
def test_a_step_learns_on_a_full_memory(planted_data, own, expected):
    options = options_of("smec", **own)
    step = MemoryStep(options, planted_data, 16, *training_stream(planted_data, options, 150, 4))
    forward, whole = step.timed()
    assert 0 < forward < whole
    amounts = step.amounts()
    assert amounts["step bytes"] > 0
    assert amounts.get("filled", 0) == expected
    if expected:
        assert amounts["memory bytes"] == expected * (32 * 4 + 1) + 16
        assert amounts["search bytes"] >= len(data_rows(step._batches[-1])) * expected * 4  # the table of scores
        assert amounts["different vectors"] <= 144  # an epoch has no more
        assert 0 < amounts["useful neighbours"] <= options.neighbours
