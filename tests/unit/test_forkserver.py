"""Jobs forked from a process with their libraries loaded behave as jobs that are started alone."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from smec.forkserver import server, starting
from smec.forkserver.client import LOST, end_as, run_forked
from smec.forkserver.families import FAMILIES, FOLDER_VARIABLE, family_of
from smec.forkserver.server import ForkServer
from smec.forkserver.wire import REFUSED, Request, fingerprint, receive_request, receive_status, send_request
from tests.workbench import build

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="forked jobs need Linux")

ROOT = Path(__file__).parents[2]
PATIENCE = 60
LISTENING = ("env", "--default-signal=INT")
"""A shell starts its background jobs with SIGINT ignored, and whatever runs these tests may be one."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build(tmp_path_factory.mktemp("forked"))


@pytest.fixture
def servers():
    """Processes to fork from, and the environment of jobs that find them."""
    before = dict(os.environ)
    started = starting.start(("fit",))
    yield started, {**os.environ, **starting.ONE_THREAD}
    os.environ.clear()
    os.environ.update(before)
    for process in started:
        process.stdin.close()
        process.wait(PATIENCE)


def smec(*arguments, environment, **how):
    command = [sys.executable, "-m", "smec", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, **how)


@pytest.fixture
def begun():
    """Begins jobs, of which none outlives the test."""
    jobs = []

    def begin(*arguments, environment, before=()):
        command = [*LISTENING, *before, sys.executable, "-m", "smec", *map(str, arguments)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        jobs.append(subprocess.Popen(command, env=environment, **streams))
        return jobs[-1]

    yield begin
    for job in jobs:
        job.kill()
        job.communicate()


def forks_of(started):
    """The jobs, by the name that they give themselves; libraries that load have children of their own for a moment."""
    found = []
    for child in psutil.Process(started.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child] if child.name().startswith("smec ") else []
    return found


def waited_for(what):
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def long_training(bench, folder):
    return bench.command(bench.spec("smec", 16, epochs=100_000), folder / "compressor.safetensors")


def short_training(bench, folder):
    return bench.command(bench.spec("smec", 16, epochs=2), folder / "compressor.safetensors")


def written(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_forked_job_writes_the_bytes_of_one_that_runs_alone(bench, servers, tmp_path):
    (started,), environment = servers
    alone = {key: value for key, value in environment.items() if key != FOLDER_VARIABLE}
    for name, where in (("forked", environment), ("again", environment), ("alone", alone)):
        told = smec(*short_training(bench, tmp_path / name), environment=where)
        assert told.returncode == 0 and "train took" in told.stderr, told.stderr
    files = [(tmp_path / name / "compressor.safetensors").read_bytes() for name in ("forked", "again", "alone")]
    assert files[0] == files[1] == files[2]
    assert "torch" in maps_of(started.pid), "the jobs were not forked"


def maps_of(process):
    return Path(f"/proc/{process}/maps").read_text()


def test_a_fault_of_the_input_goes_to_the_error_stream_of_the_job_with_its_status(servers):
    _, environment = servers
    lacking = ("--data", "x", "--embeddings", "x", "--negatives", "x", "--output", "x")
    told = smec("train", "--spec", "{}", *lacking, environment=environment)
    assert told.returncode == 1 and told.stderr.startswith("error: --spec lacks the key 'method'")
    told = smec("train", "--nonsense", environment=environment)
    assert told.returncode == 2 and "No such option" in told.stderr and "Usage: smec train" in told.stderr
    told = smec("train", "--help", environment=environment)
    assert told.returncode == 0 and "Fit one stage of a method" in told.stdout


def test_a_job_has_the_folder_and_the_file_mode_it_was_started_with(bench, servers, tmp_path):
    _, environment = servers
    arguments = short_training(bench, Path("here"))
    told = smec(*arguments, environment=environment | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path, umask=0o077)
    assert told.returncode == 0, told.stderr
    written_file = tmp_path / "here/compressor.safetensors"
    assert written_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_job_stops_the_fork(bench, servers, begun, tmp_path, number, status):
    (started,), environment = servers
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    (fork,) = waited_for(lambda: forks_of(started))
    waited_for(lambda: fork.cpu_times().user > 0.5)
    job.send_signal(number)
    job.communicate(timeout=PATIENCE)
    assert job.returncode == status
    waited_for(lambda: not forks_of(started))
    assert not (tmp_path / "run/compressor.safetensors").exists()


def test_the_fork_of_a_job_that_is_killed_stops_too_and_the_next_job_runs(bench, servers, begun, tmp_path):
    (started,), environment = servers
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    waited_for(lambda: forks_of(started))
    job.kill()
    job.communicate(timeout=PATIENCE)
    waited_for(lambda: not forks_of(started))
    assert smec(*short_training(bench, tmp_path / "next"), environment=environment).returncode == 0


def test_a_killed_fork_ends_its_job_by_the_same_signal(bench, servers, begun, tmp_path):
    (started,), environment = servers
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    (fork,) = waited_for(lambda: forks_of(started))
    fork.kill()
    job.communicate(timeout=PATIENCE)
    assert job.returncode == -signal.SIGKILL


def test_jobs_say_so_when_the_server_is_killed_and_none_runs_on(bench, servers, begun, tmp_path):
    (started,), environment = servers
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    (fork,) = waited_for(lambda: forks_of(started))
    started.kill()
    _, told = job.communicate(timeout=PATIENCE)
    assert job.returncode == 1 and LOST in told
    waited_for(lambda: not fork.is_running() or fork.status() == psutil.STATUS_ZOMBIE)
    told = smec(*short_training(bench, tmp_path / "alone"), environment=environment)
    assert told.returncode == 0, told.stderr


def test_the_server_ends_with_the_workflow_but_not_before_its_jobs(bench, servers, begun, tmp_path):
    (started,), environment = servers
    folder = Path(environment[FOLDER_VARIABLE])
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    waited_for(lambda: forks_of(started))
    started.stdin.close()
    waited_for(lambda: smec("train", "--help", environment=environment).returncode == 0)
    assert started.poll() is None
    job.terminate()
    job.communicate(timeout=PATIENCE)
    assert started.wait(PATIENCE) == 0
    assert not folder.exists()


def test_a_job_of_several_threads_runs_by_itself(servers, monkeypatch):
    _, environment = servers
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert run_forked(["train", "--help"]) is None
    assert smec("train", "--help", environment=environment).returncode == 0


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"", b"[]", b'{"arguments": []}', b"not json"])
def test_what_is_no_job_is_survived(servers, sent):
    (started,), environment = servers
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(f"{environment[FOLDER_VARIABLE]}/fit")
        if sent[:1] in (b"[", b"{", b"n"):
            socket.send_fds(stranger, [len(sent).to_bytes(8, "big")], (0, 1, 2))
        stranger.sendall(sent)
    assert smec("train", "--help", environment=environment).returncode == 0
    assert started.poll() is None


def test_a_signal_that_no_client_sends_is_left_out(bench, servers, tmp_path, monkeypatch):
    (started,), environment = servers
    for name, value in starting.ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{environment[FOLDER_VARIABLE]}/fit")
        send_request(client, replace(request(), arguments=long_training(bench, tmp_path), environment=environment))
        waited_for(lambda: forks_of(started))
        client.sendall(bytes([200, 0, signal.SIGTERM]))
        waited_for(lambda: not forks_of(started))
    assert started.poll() is None


def test_jobs_leave_nothing_open_and_no_variable_behind(servers):
    (started,), environment = servers
    smec("train", "--help", environment=environment | {"COLUMNS": "50"})
    before = psutil.Process(started.pid).num_fds()
    for columns in ("50", "120"):
        told = smec("train", "--help", environment=environment | {"COLUMNS": columns}).stdout
        assert max(map(len, told.splitlines())) == int(columns)
    waited_for(lambda: psutil.Process(started.pid).num_fds() == before)


def test_a_signal_while_the_libraries_load_stops_the_job(bench, servers, begun, tmp_path):
    (started,), environment = servers
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment)
    waited_for(lambda: len(psutil.Process(started.pid).memory_maps()) > 100)  # it has begun to load
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=PATIENCE)
    assert job.returncode in (130, -signal.SIGINT)


def test_an_ignored_signal_stays_ignored(bench, servers, begun, tmp_path):
    (started,), environment = servers
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    job = begun(*long_training(bench, tmp_path / "run"), environment=environment, before=ignoring)
    (fork,) = waited_for(lambda: forks_of(started))
    waited_for(lambda: fork.cpu_times().user > 0.5)
    job.send_signal(signal.SIGINT)
    fork.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert job.poll() is None and fork.is_running()
    job.terminate()
    job.communicate(timeout=PATIENCE)


def test_jobs_run_by_themselves_where_no_socket_can_be_made(tmp_path, monkeypatch, caplog):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(starting.tempfile, "tempdir", str(deep))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert starting.start(("fit",)) == []
    assert FOLDER_VARIABLE not in os.environ and "run by themselves" in caplog.text


def test_jobs_run_by_themselves_where_forks_cannot_be_watched(monkeypatch):
    def unknown(_):
        raise OSError("Function not implemented")

    monkeypatch.setattr(starting.os, "pidfd_open", unknown)
    assert starting.start(("fit",)) == []


def test_nothing_is_forked_without_a_server_or_for_other_verbs(monkeypatch, tmp_path):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert run_forked(["train"]) is None
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert run_forked(["train"]) is None
    assert run_forked(["report"]) is None
    assert run_forked([]) is None


def served(modules, request):
    """What a server in this process answers to a request."""
    answers = []
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0smec-test-{os.getpid()}")
        listener.listen()
        address = listener.getsockname()

        def ask():
            with socket.socket(socket.AF_UNIX) as job:
                job.connect(address)
                send_request(job, request)
                answers.append(receive_status(job))
            os.close(writing)

        asking = threading.Thread(target=ask)
        asking.start()
        assert ForkServer(listener, modules).serve(reading)
        asking.join()
    os.close(reading)
    return answers[0]


def request(**changed):
    return Request(["train"], "/", {}, 0o022, [], fingerprint() | changed)


def test_a_job_of_another_interpreter_or_source_is_refused():
    assert served((), request(python="/usr/bin/other")) == REFUSED
    assert served((), request(smec="/elsewhere/smec/__init__.py")) == REFUSED


def test_a_job_with_another_setting_of_a_library_is_refused():
    assert served((), request(OMP_NUM_THREADS="7")) == REFUSED


def test_a_job_is_refused_where_a_fork_would_lose_a_thread(caplog):
    assert served((), request()) == REFUSED  # the one that asks, in this process
    assert "would lose the threads" in caplog.text


def test_a_job_is_refused_after_the_source_was_edited(monkeypatch, caplog):
    libraries = server._Libraries(())
    monkeypatch.setattr(server, "_threads", set)
    assert libraries.fit(request()) and libraries.ready() and libraries.fit(request())
    monkeypatch.setattr(server, "_source", lambda: "edited")
    assert not libraries.fit(request())


def test_a_job_that_cannot_be_forked_is_refused(monkeypatch, caplog):
    def fork():
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(server, "_threads", set)
    monkeypatch.setattr(server.os, "fork", fork)
    assert served((), request()) == REFUSED
    assert "no more processes" in caplog.text


def test_a_job_is_refused_when_the_libraries_do_not_load(caplog):
    assert served(("no_such_library",), request()) == REFUSED
    assert "no_such_library" in caplog.text


def test_an_idle_server_asks_to_be_started_anew(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as job:
        listener.bind(str(tmp_path / "fit"))
        listener.listen()
        waiting = ForkServer(listener, (), idle_seconds=0.05)
        job.connect(listener.getsockname())
        send_request(job, request(OMP_NUM_THREADS="none"))
        reading, writing = os.pipe()
        waiting._libraries.asked_for = True
        assert not waiting.serve(reading)
        assert receive_status(job) == REFUSED
        os.close(reading)
        os.close(writing)


def test_a_request_and_its_streams_arrive_as_they_were_sent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sent = Request(
            ["train", "--spec", json.dumps({"ü": "€" * 10_000})], "/tmp", {"A": "b"}, 0o027, [2], fingerprint()
        )
        send_request(ours, sent)
        found, streams = receive_request(theirs)
        assert found == sent
        assert [os.fstat(stream).st_ino for stream in streams] == [os.fstat(stream).st_ino for stream in (0, 1, 2)]
        for stream in streams:
            os.close(stream)
        ours.close()
        with pytest.raises(ValueError, match="no job"):
            receive_request(theirs)


def test_every_verb_of_a_family_is_a_command():
    from smec.cli import app

    known = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    assert set().union(*(family.verbs for family in FAMILIES.values())) <= known
    assert family_of("train") == "fit" and family_of("report") is None


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_ends_with_the_status_of_its_fork(status):
    with pytest.raises(SystemExit) as stop:
        end_as(status)
    assert stop.value.code == status
