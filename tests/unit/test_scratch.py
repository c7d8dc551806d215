"""Arrays in files without a name: the same numbers, nothing left behind, and a full disk that is told."""

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest

from smec.errors import SmecError
from smec.scratch import Room, stored

BLOCKS = [np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((1, 3), np.float32), np.zeros((2, 3), np.float32)]
WHOLE = np.concatenate(BLOCKS)


def mapped(folder):
    """The files of a folder that this process has mapped."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]


def test_a_room_is_memory_up_to_its_bound(tmp_path):
    room = Room(100, tmp_path)
    assert room.folder_for(100) is None and room.folder_for(101) == tmp_path
    assert Room().folder_for(1 << 60) is None


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_memory_and_file_hold_the_same(tmp_path, dtype):
    for folder in (None, tmp_path / "made" / "here"):
        array = stored(iter(BLOCKS), WHOLE.shape, dtype, folder)
        assert np.array_equal(array, WHOLE) and array.dtype == dtype and array.flags.writeable


def test_nothing_takes_no_file(tmp_path):
    for shape in ((0, 3), (3, 0)):
        assert stored([], shape, np.float32, tmp_path / "none").shape == shape
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux says which files are mapped")
def test_the_file_has_no_name_and_ends_with_its_array(tmp_path):
    array = stored(BLOCKS, WHOLE.shape, np.float32, tmp_path)
    assert list(tmp_path.iterdir()) == [] and len(mapped(tmp_path)) == 1
    part = array[1:2]
    del array
    assert np.array_equal(part, WHOLE[1:2]), "a part keeps the file"
    del part
    gc.collect()
    assert mapped(tmp_path) == []


def failing(number):
    def fails(*_):
        raise OSError(number, os.strerror(number))

    return fails


@pytest.mark.parametrize("call", ["posix_fallocate", "write"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_the_bytes_that_are_needed(tmp_path, monkeypatch, call, number):
    monkeypatch.setattr(os, call, failing(number), raising=False)
    with pytest.raises(SmecError, match=rf"disk is full: .* 84 MB .*{tmp_path}.*`training_vectors.folder`"):
        stored([np.zeros((1000, 3), np.float32)] * 7000, (7_000_000, 3), np.float32, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SmecError, match=r"no file for .*file/below.*Check the folder"):
        stored(BLOCKS, WHOLE.shape, np.float32, tmp_path / "file" / "below")


def test_a_fault_while_blocks_are_made_leaves_nothing(tmp_path):
    def blocks():
        yield BLOCKS[0]
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        stored(blocks(), WHOLE.shape, np.float32, tmp_path)
    assert list(tmp_path.iterdir()) == []
