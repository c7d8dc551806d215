"""The embedding store: whole, resumed, and in every way broken."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from smec.errors import SmecError
from smec.store import EmbeddingStore
from smec.store_writer import StoreWriter

ROWS, DIM, SHARD = 23, 5, 7
KEY = {"data": "abc", "kind": "sentence_transformer", "model": "m", "prompt": "", "role": "corpus"}
IDS = [f"id{i}" for i in range(ROWS)]


def vectors(rows=ROWS, dim=DIM):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def writer(folder, **changes):
    return StoreWriter(**({"folder": folder, "key": KEY, "rows": ROWS, "dim": DIM, "shard_rows": SHARD} | changes))


def write(store, x, shards=None):
    for shard in store.missing() if shards is None else shards:
        start, stop = store.bounds(shard)
        store.write(shard, x[start:stop], IDS[start:stop])


@pytest.fixture
def folder(tmp_path):
    store = writer(tmp_path / "store")
    write(store, vectors())
    store.finish()
    return tmp_path / "store"


def test_reads_what_was_written(folder):
    store = EmbeddingStore.open(folder, KEY)
    assert (len(store), store.dim, store.key) == (ROWS, DIM, KEY)
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        *(f"shard-0000{i}.npy" for i in range(4)),
    ]
    assert all(isinstance(shard, np.memmap) for shard in store.shards)
    assert store[:].flags.writeable


@pytest.mark.parametrize(
    "bounds", [(0, 23), (0, 7), (6, 8), (7, 14), (3, 22), (22, 23), (5, 5), (9, 4), (-3, None), (20, 99)]
)
def test_a_slice_across_shards_equals_the_slice_of_all(folder, bounds):
    np.testing.assert_array_equal(EmbeddingStore.open(folder)[slice(*bounds)], vectors()[slice(*bounds)])


@pytest.mark.parametrize("shard_rows", [1, 7, 22, 23, 100])
def test_the_size_of_shards_changes_nothing(tmp_path, shard_rows):
    store = writer(tmp_path, shard_rows=shard_rows)
    write(store, vectors())
    store.finish()
    np.testing.assert_array_equal(EmbeddingStore.open(tmp_path)[:], vectors())


@pytest.mark.parametrize("rows", [[], [22, 0, 7, 7, 6, 13, 14, 0], list(range(22, -1, -1)), [3]])
def test_gather_keeps_order_and_repeats(folder, rows):
    rows = np.array(rows, dtype=np.int64)
    np.testing.assert_array_equal(EmbeddingStore.open(folder).gather(rows), vectors()[rows])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of resident memory")
def test_a_pass_over_a_store_does_not_stay_in_memory(tmp_path):
    """64 MiB in two shards: neither slices nor single rows leave pages behind while the store is open."""
    rows, dim = 1 << 15, 512
    store = writer(tmp_path, rows=rows, dim=dim, shard_rows=rows // 2)
    block = np.ones((rows // 2, dim), dtype=np.float32)
    for shard in (0, 1):
        store.write(shard, block, [""])
    store.finish()
    opened = EmbeddingStore.open(tmp_path, verify=False)
    before = resident_bytes()
    for start in range(0, rows, 4096):
        assert opened[start : start + 4096].shape == (4096, dim)
    assert opened.gather(np.arange(0, rows, 8)).any()
    assert resident_bytes() - before < 16 << 20


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_wrong_use(folder):
    store = EmbeddingStore.open(folder)
    for rows in ([23], [-1]):
        with pytest.raises(IndexError, match=r"0\.\.22"):
            store.gather(np.array(rows))
    for index in (slice(0, 10, 2), 3):
        with pytest.raises(TypeError, match="step 1"):
            store[index]
    with pytest.raises(ValueError, match="must have shape"):
        writer(folder).write(0, vectors(3), IDS)
    with pytest.raises(SmecError, match="rows=0"):
        writer(folder, rows=0)


def test_float16_on_disk_is_read_as_float32(tmp_path):
    store = writer(tmp_path, dtype="float16")
    write(store, vectors())
    store.finish()
    opened = EmbeddingStore.open(tmp_path)
    assert opened.shards[0].dtype == np.float16
    assert opened[:].dtype == opened.gather(np.array([1])).dtype == np.float32
    np.testing.assert_array_equal(opened[:], vectors().astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("value", "fault"), [(np.nan, "NaN or infinite"), (-np.inf, "NaN or infinite"), (0.0, "all zeros")]
)
def test_an_unusable_vector_is_refused_by_name(tmp_path, value, fault):
    x = vectors()
    x[9] = value
    with pytest.raises(SmecError, match=rf"'id9' for the store .*{fault}"):
        write(writer(tmp_path), x)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-00000.json", "shard-00000.npy"]


def test_truncated_altered_and_missing_shards(folder):
    shard = folder / "shard-00002.npy"
    content = shard.read_bytes()
    shard.write_bytes(content[:-4])
    with pytest.raises(SmecError, match=r"shard-00002.npy is truncated or altered: it has \d+ bytes"):
        EmbeddingStore.open(folder, verify=False)
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SmecError, match=r"shard-00002.npy is altered: its sha256"):
        EmbeddingStore.open(folder)
    EmbeddingStore.open(folder, verify=False)
    shard.write_bytes(b"x" * len(content))
    with pytest.raises(SmecError, match=r"shard-00002.npy is not a readable npy"):
        EmbeddingStore.open(folder, verify=False)
    shard.unlink()
    with pytest.raises(SmecError, match=r"shard-00002.npy is missing"):
        EmbeddingStore.open(folder)


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_manifest_that_does_not_fit_its_shards(folder):
    edit_manifest(folder, dim=4)
    with pytest.raises(SmecError, match=r"shard-00000.npy holds float32 \(7, 5\)"):
        EmbeddingStore.open(folder)
    edit_manifest(folder, dim=DIM, rows=24)
    with pytest.raises(SmecError, match="lists 23 of 24 rows"):
        EmbeddingStore.open(folder)
    edit_manifest(folder, format=99)
    with pytest.raises(SmecError, match="not the manifest of an embedding store of format 1"):
        EmbeddingStore.open(folder)


def test_store_of_another_backbone_or_dataset(folder):
    with pytest.raises(SmecError, match=r"store of another backbone.*model is 'm', wanted 'other'"):
        EmbeddingStore.open(folder, KEY | {"model": "other"})
    with pytest.raises(SmecError, match="store of another dataset"):
        EmbeddingStore.open(folder, KEY | {"data": "changed"})
    EmbeddingStore.open(folder, {"model": "m"})


def test_missing_and_unfinished_stores(tmp_path):
    with pytest.raises(SmecError, match=r"nowhere is missing"):
        EmbeddingStore.open(tmp_path / "nowhere")
    store = writer(tmp_path)
    write(store, vectors(), [0, 2])
    with pytest.raises(SmecError, match="is not finished"):
        EmbeddingStore.open(tmp_path)
    with pytest.raises(SmecError, match=r"lacks the shard .*shard-00001.npy"):
        store.finish()
    assert store.missing() == [1, 3]


def test_resuming_keeps_whole_shards_of_the_same_key_only(tmp_path):
    write(writer(tmp_path), vectors(), [0, 1, 2])
    (tmp_path / "shard-00001.npy").write_bytes(b"half")
    (tmp_path / "shard-00002.json").write_text("{")
    assert writer(tmp_path).missing() == [1, 2, 3]
    assert writer(tmp_path, key=KEY | {"prompt": "query: "}).missing() == [0, 1, 2, 3]
    assert writer(tmp_path, shard_rows=8).missing() == [0, 1, 2]
    assert writer(tmp_path, dtype="float16").missing() == [0, 1, 2, 3]


def test_finished_stores_are_recognised_and_damaged_ones_discarded(folder):
    assert writer(folder).finished()
    assert not writer(folder, key=KEY | {"model": "other"}).finished()
    assert not (folder / "manifest.json").exists()
    write(writer(folder), vectors())
    writer(folder).finish()
    (folder / "shard-00003.npy").write_bytes(b"")
    assert not writer(folder).finished()


def test_another_layout_discards_a_finished_store_and_its_surplus_shards(folder):
    bigger = writer(folder, shard_rows=20, dtype="float16")
    assert not bigger.finished()
    write(bigger, vectors())
    bigger.finish()
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "shard-00000.npy", "shard-00001.npy"]


class FullDisk:
    """A stream that takes the header and then fails as a full disk does."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, content):
        if isinstance(content, memoryview):
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(content)


def test_a_full_disk_leaves_whole_shards_only(tmp_path, monkeypatch):
    store = writer(tmp_path)
    write(store, vectors(), [0])
    opened = type(tmp_path).open

    def full(path, mode="r", **options):
        stream = opened(path, mode, **options)
        return FullDisk(stream) if mode == "wb" else stream

    monkeypatch.setattr(type(tmp_path), "open", full)
    with pytest.raises(SmecError, match=r"disk is full while writing .*shard-00001.npy"):
        write(store, vectors(), [1])
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-00000.json", "shard-00000.npy"]
    assert store.missing() == [1, 2, 3]


def test_remains_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".shard-00001.killed.npy").write_bytes(b"half")
    (tmp_path / ".shard-00009.killed.npy").write_bytes(b"half")
    store = writer(tmp_path)
    write(store, vectors())
    store.finish()
    assert not list(tmp_path.glob(".*"))
    np.testing.assert_array_equal(EmbeddingStore.open(tmp_path)[:], vectors())


def test_two_writers_give_the_same_bytes(folder, tmp_path):
    store = writer(tmp_path / "again")
    write(store, vectors(), [3, 1, 0, 2])
    store.finish()
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
