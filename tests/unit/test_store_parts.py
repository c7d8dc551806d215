"""Gathering the parts of a store: what is missing, damaged or of another store is told by file."""

import json
import math

import numpy as np
import pytest

from smec.embedding import part_of
from smec.errors import SmecError
from smec.store import EmbeddingStore
from smec.store_parts import gather
from smec.store_writer import StoreWriter

ROWS, DIM, SHARD = 23, 5, 7
VECTORS = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)


@pytest.fixture
def parts(tmp_path):
    """Two parts of a store of four shards."""
    writer = StoreWriter(tmp_path, {"data": "abc"}, ROWS, DIM, SHARD, details={"versions": {"numpy": "2"}})
    files = []
    for number in (1, 2):
        shards = part_of(len(writer), number, 2)
        for shard in shards:
            start, stop = writer.bounds(shard)
            writer.write(shard, VECTORS[start:stop], [""] * SHARD)
        files.append(tmp_path / f"part-{number}-of-2.json")
        files[-1].write_text(json.dumps(writer.summed_up(shards)))
    return files


@pytest.mark.parametrize(("shards", "parts"), [(1, 1), (4, 4), (10, 3), (3, 10), (1081, 64)])
def test_every_shard_has_one_job_and_none_has_much_more_than_another(shards, parts):
    shares = [part_of(shards, part, parts) for part in range(1, parts + 1)]
    assert [shard for share in shares for shard in share] == list(range(shards))
    assert {len(share) for share in shares} <= {shards // parts, math.ceil(shards / parts)}


def test_the_store_is_whole(parts, tmp_path):
    gather(tmp_path, parts[::-1])
    np.testing.assert_array_equal(EmbeddingStore.open(tmp_path, {"data": "abc"})[:], VECTORS)
    assert not list(tmp_path.glob("shard-*.json"))


def test_a_part_that_is_left_out(parts, tmp_path):
    with pytest.raises(SmecError, match=r"1 parts .* hold 14 of 23 rows"):
        gather(tmp_path, parts[:1])


def test_a_part_that_is_not_finished(parts, tmp_path):
    parts[1].unlink()
    with pytest.raises(SmecError, match=r"part-2-of-2.json does not exist. Run the step"):
        gather(tmp_path, parts)


@pytest.mark.parametrize("damage", ["half written", "altered", "gone"])
def test_a_damaged_shard_is_named_with_its_part(parts, tmp_path, damage):
    shard = tmp_path / "shard-00002.npy"
    content = shard.read_bytes()
    shard.write_bytes(content[:-9] if damage == "half written" else content[:-1] + bytes([content[-1] ^ 1]))
    if damage == "gone":
        shard.unlink()
    with pytest.raises(SmecError, match=r"shard-00002.npy is missing or not what .*part-2-of-2.json says. Delete both"):
        gather(tmp_path, parts)
    assert not (tmp_path / "manifest.json").exists()


def test_parts_of_different_stores(parts, tmp_path):
    told = json.loads(parts[1].read_text())
    told["store"] |= {"key": {"data": "changed"}, "versions": {"numpy": "1"}}
    parts[1].write_text(json.dumps(told))
    with pytest.raises(SmecError, match=r"part-1-of-2.json and .*part-2-of-2.json are of different .*: key, versions"):
        gather(tmp_path, parts)


def test_parts_without_a_shard(tmp_path):
    (tmp_path / "part-1-of-1.json").write_text('{"store": null, "shards": []}')
    with pytest.raises(SmecError, match="None of the 1 parts"):
        gather(tmp_path, [tmp_path / "part-1-of-1.json"])
