"""S-XBM: order in the queue, exact neighbours, and the case where it must vanish."""

import pytest
import torch

from smec.memory import SelectiveMemory


def rows(count, width=4, seed=0):
    return torch.nn.functional.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def test_an_empty_memory_returns_no_neighbours():
    retrieved, place, cosine = SelectiveMemory(8, 4).nearest(rows(3), 5)
    assert retrieved.shape == (0, 4) and place.shape == (3, 0) and cosine.shape == (3, 0)


@pytest.mark.parametrize(("size", "batch"), [(10, 4), (10, 10), (7, 3), (3, 5), (1, 1)])
def test_the_last_rows_stay_over_many_wraps(size, batch):
    memory, everything = SelectiveMemory(size, 4), rows(30 * batch)
    for block in everything.split(batch):
        memory.enqueue(block)
    kept = {tuple(row) for row in memory.features.tolist()}
    assert kept == {tuple(row) for row in everything[-size:].tolist()}
    assert int(memory.filled) == size


def test_neighbours_equal_a_full_sort():
    memory, stored, asked = SelectiveMemory(100, 8), rows(60, 8), rows(5, 8, seed=1)
    memory.enqueue(stored)
    retrieved, place, cosine = memory.nearest(asked, 7)
    expected = (asked @ stored.T).sort(dim=1, descending=True)
    assert torch.equal(cosine, expected.values[:, :7])
    assert torch.equal(retrieved[place], stored[expected.indices[:, :7]])
    assert len(retrieved) == len(place.unique())


def test_more_neighbours_than_stored_gives_all_of_them():
    memory = SelectiveMemory(10, 4)
    memory.enqueue(rows(3))
    assert memory.nearest(rows(2, seed=1), 50)[1].shape == (2, 3)


def test_position_survives_save_and_load():
    straight, first = SelectiveMemory(7, 4), SelectiveMemory(7, 4)
    for block in rows(20).split(5):
        straight.enqueue(block)
    for block in rows(20)[:10].split(5):
        first.enqueue(block)
    resumed = SelectiveMemory(7, 4)
    resumed.load_state_dict(first.state_dict())
    for block in rows(20)[10:].split(5):
        resumed.enqueue(block)
    assert torch.equal(resumed.features, straight.features)


def test_reset_forgets():
    memory = SelectiveMemory(7, 4)
    memory.enqueue(rows(5))
    memory.reset()
    assert memory.nearest(rows(1), 1)[1].shape == (1, 0)


def test_a_memory_without_room_is_refused():
    with pytest.raises(ValueError, match="0 vectors"):
        SelectiveMemory(0, 4)
