"""S-XBM: order in the queue, exact neighbours, and the case where it must vanish."""

import pytest
import torch

from smec.memory import SelectiveMemory


def rows(count, width=4, seed=0):
    return torch.nn.functional.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def test_an_empty_memory_returns_no_neighbours():
    retrieved, place, cosine, _ = SelectiveMemory(8, 4).nearest(rows(3), 5)
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
    retrieved, place, cosine, _ = memory.nearest(asked, 7)
    expected = (asked @ stored.T).sort(dim=1, descending=True)
    assert torch.equal(cosine, expected.values[:, :7])
    assert torch.equal(retrieved[place], stored[expected.indices[:, :7]])
    assert len(retrieved) == len(place.unique())


def test_more_neighbours_than_stored_gives_all_of_them():
    memory = SelectiveMemory(10, 4)
    memory.enqueue(rows(3))
    assert memory.nearest(rows(2, seed=1), 50).place.shape == (2, 3)


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
    assert memory.nearest(rows(1), 1).place.shape == (1, 0)


def test_a_memory_without_room_is_refused():
    with pytest.raises(ValueError, match="0 vectors"):
        SelectiveMemory(0, 4)


def test_neighbours_of_the_other_side_only():
    """Four stored vectors, the nearest of the asking one's own side: it is passed over."""
    memory = SelectiveMemory(6, 2)
    stored = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0]])
    memory.enqueue(stored, torch.tensor([0, 1, 0, 1], dtype=torch.int8))
    asked = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    retrieved, place, cosine, sides = memory.nearest(asked, 2, torch.tensor([0, 1], dtype=torch.int8))
    assert sides[place].tolist() == [[1, 1], [0, 0]]
    assert retrieved[place[0]].equal(stored[[1, 3]]) and retrieved[place[1]].equal(stored[[0, 2]])
    assert torch.allclose(cosine, torch.tensor([[0.9, 0.0], [1.0, 0.8]]))


def test_no_more_neighbours_than_the_other_side_has():
    memory = SelectiveMemory(6, 2)
    memory.enqueue(torch.eye(2), torch.tensor([0, 1], dtype=torch.int8))
    _, place, cosine, _ = memory.nearest(torch.eye(2), 5, torch.tensor([0, 1], dtype=torch.int8))
    assert place.shape == (2, 1) and torch.isfinite(cosine).all()
    memory.reset()
    memory.enqueue(torch.eye(2))
    assert memory.nearest(torch.eye(2), 5, torch.tensor([0, 0], dtype=torch.int8)).place.shape == (2, 0)


def test_sides_wrap_with_the_vectors():
    memory = SelectiveMemory(5, 1)
    for step in range(7):
        memory.enqueue(torch.full((3, 1), float(step)), torch.full((3,), step % 2, dtype=torch.int8))
        filled = int(memory.filled)
        assert (memory.features[:filled, 0] % 2 == memory.sides[:filled]).all()
