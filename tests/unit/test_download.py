"""Fetching a file from a server on this machine: cut connections, failing servers, wrong contents, several jobs."""

import hashlib
import threading

import pytest

from smec import download as module
from smec.download import download
from smec.errors import SmecError
from tests.file_server import Files, serving

CONTENT = bytes(range(256)) * 8000
MD5 = hashlib.md5(CONTENT).hexdigest()
"""2 MB, so that blocks of 1 MiB do not divide it."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)


@pytest.fixture
def server():
    with serving(Files({"/set.zip": CONTENT})) as files:
        yield files


def fetched(server, target, md5=MD5):
    download(f"{server.url}/set.zip", target, md5)
    return target.read_bytes()


def test_the_file_arrives_whole_and_alone(server, tmp_path, capfd):
    target = tmp_path / "root" / "set.zip"
    assert fetched(server, target) == CONTENT
    assert sorted(path.name for path in target.parent.iterdir()) == ["set.zip", "set.zip.lock"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [0, 1, 1 << 20, len(CONTENT) - 1])
def test_a_cut_connection_is_gone_on_with(server, tmp_path, cut):
    server.cuts = [cut]
    assert fetched(server, tmp_path / "set.zip") == CONTENT
    assert server.requested == [("/set.zip", 0), ("/set.zip", cut - cut % module.BLOCK_BYTES)]


def test_a_later_run_goes_on_where_the_first_gave_up(server, tmp_path):
    server.cuts = [module.BLOCK_BYTES] + [0] * (module.ATTEMPTS - 1)
    with pytest.raises(SmecError, match=r"set.zip could not be downloaded: .*1.0 MB are kept.*data_root"):
        fetched(server, tmp_path / "set.zip")
    assert not (tmp_path / "set.zip").exists()
    assert (tmp_path / "set.zip.part").stat().st_size == module.BLOCK_BYTES
    server.requested.clear()
    assert fetched(server, tmp_path / "set.zip") == CONTENT
    assert server.requested == [("/set.zip", module.BLOCK_BYTES)]


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.cuts, server.ranges = [1000], False
    assert fetched(server, tmp_path / "set.zip") == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_of_the_server_is_retried(server, tmp_path, status):
    server.statuses = [status] * (module.ATTEMPTS - 1)
    assert fetched(server, tmp_path / "set.zip") == CONTENT
    assert len(server.requested) == module.ATTEMPTS


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_file_is_told_at_once(server, tmp_path, status):
    server.statuses = [status]
    with pytest.raises(SmecError, match=rf"set.zip is not there: the server answers {status}"):
        fetched(server, tmp_path / "set.zip")
    assert len(server.requested) == 1


def test_another_content_never_gets_the_name(server, tmp_path):
    with pytest.raises(SmecError, match=f"its md5 is {MD5}, wanted {'0' * 32}"):
        fetched(server, tmp_path / "set.zip", "0" * 32)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip.lock"]


@pytest.mark.parametrize("stale", [b"other", CONTENT[:-1] + b"!", CONTENT + b"more"])
def test_a_stale_beginning_is_fetched_anew(server, tmp_path, stale):
    (tmp_path / "set.zip.part").write_bytes(stale)
    assert fetched(server, tmp_path / "set.zip") == CONTENT


def test_jobs_that_want_the_same_file_fetch_it_once(server, tmp_path):
    jobs = [threading.Thread(target=fetched, args=(server, tmp_path / "set.zip")) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert server.requested == [("/set.zip", 0)]
    assert (tmp_path / "set.zip").read_bytes() == CONTENT


def test_no_network_says_what_to_do(tmp_path):
    with serving(Files()) as gone:
        pass
    with pytest.raises(SmecError, match=r"could not be downloaded.*machine that has a network.*data_root"):
        fetched(gone, tmp_path / "set.zip")


def test_a_full_disk_is_told_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SmecError, match=r"needs 2 MB more, but only 0 MB are free"):
        fetched(server, tmp_path / "set.zip")


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SmecError, match=r"set.zip could not be written"):
        fetched(server, tmp_path / "file" / "set.zip")


def test_a_file_system_without_locks_is_told(server, tmp_path, monkeypatch):
    def refused(*_):
        raise NotImplementedError

    monkeypatch.setattr(module, "FileLock", refused)
    with pytest.raises(SmecError, match=r"knows no locks.*another file system"):
        fetched(server, tmp_path / "set.zip")
