"""The side of the process with the libraries: fork a job per connection, and tell how it ended.

`python -m smec.forkserver.server FAMILY DESCRIPTOR` serves the listening socket that it inherits, until its standard
input ends, which is when the workflow does, and until the jobs that still run have ended.
"""

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import smec
from smec.forkserver.families import FAMILIES
from smec.forkserver.wire import (
    FORWARDED,
    REFUSED,
    STARTED,
    STREAMS,
    Request,
    fingerprint,
    receive_request,
    send_status,
)

LOGGER = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""After that long without a job the memory of the libraries is given back."""

PATIENCE_SECONDS = 10.0
"""For a job to send itself."""

HARMLESS_THREADS = {"jemalloc_bg_thd"}
"""Threads that a fork may leave behind: jemalloc has handlers of its own for that, and works without its thread."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class ForkServer:
    """Forks jobs from this process."""

    def __init__(self, listener: socket.socket, modules: Sequence[str], idle_seconds: float = IDLE_SECONDS) -> None:
        """Serve `listener` with `modules` loaded, once the first job asks."""
        self._listener = listener
        self._idle_seconds = idle_seconds
        self._libraries = _Libraries(modules)
        self._ending = False
        self._jobs: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def serve(self, workflow: int) -> bool:
        """Serve until the descriptor `workflow` is at its end, and return True; False after a while without jobs."""
        self._selector.register(workflow, selectors.EVENT_READ, lambda: self._watch(workflow))
        while not self._ending or self._jobs:
            idle = self._libraries.asked_for and not self._jobs and not self._ending
            events = self._selector.select(self._idle_seconds if idle else None)
            if idle and not events:
                return False
            for key, _ in events:
                if self._selector.get_map().get(key.fd) is key:  # the one before may have closed it
                    key.data()
        return True

    def _watch(self, workflow: int) -> None:
        if not os.read(workflow, 1):
            self._ending = True
            self._selector.unregister(workflow)
            self._selector.unregister(self._listener)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            LOGGER.warning("a job could not be accepted: %s", error)
            return
        connection.settimeout(PATIENCE_SECONDS)
        try:
            request, streams = receive_request(connection)
        except (OSError, ValueError) as error:
            LOGGER.warning("a job could not be read: %s", error)
            connection.close()
            return
        try:
            if self._libraries.fit(request) and self._libraries.ready():
                self._fork(request, streams, connection)
            else:
                _answer(connection, REFUSED)
        except OSError as error:  # no process, descriptor or memory left for it
            LOGGER.warning("a job could not be forked: %s", error)
            _answer(connection, REFUSED)
        finally:
            for stream in streams:
                os.close(stream)

    def _fork(self, request: Request, streams: Sequence[int], connection: socket.socket) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until the fork can take them
        try:
            child = os.fork()
            if child == 0:
                _run_as_job(request, streams, parent, self._libraries.variables)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            ended = os.pidfd_open(child)
        except OSError:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        connection.settimeout(None)
        self._jobs[child] = ended
        self._selector.register(ended, selectors.EVENT_READ, lambda: self._finish(child, connection))
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._forward(child, connection))
        with contextlib.suppress(OSError):  # the job has gone already, which the next event tells
            send_status(connection, STARTED)

    def _forward(self, child: int, connection: socket.socket) -> None:
        """Pass a signal on. A job goes without an answer only when it is killed, and so is its fork."""
        try:
            numbers = connection.recv(1)
        except ConnectionError:
            numbers = b""
        if not numbers:
            self._selector.unregister(connection)
        number = numbers[0] if numbers else signal.SIGKILL
        if not numbers or number in FORWARDED:
            signal.pidfd_send_signal(self._jobs[child], number)

    def _finish(self, child: int, connection: socket.socket) -> None:
        ended = self._jobs.pop(child)
        _, status = os.waitpid(child, 0)
        self._selector.unregister(ended)
        os.close(ended)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        _answer(connection, os.waitstatus_to_exitcode(status))


class _Libraries:
    """What this process has loaded for its jobs.

    Attributes:
        variables: of the environment, that loading has set.
        asked_for: whether a job has wanted them.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._fingerprint = fingerprint()
        self._source = ""
        self._usable = False
        self.variables: dict[str, str] = {}
        self.asked_for = False

    def fit(self, request: Request) -> bool:
        """Say whether a job that is started alone would load the same."""
        return request.fingerprint == self._fingerprint and self._source in ("", _source())

    def ready(self) -> bool:
        """Load them at the first call, and say whether this process may be forked."""
        if not self.asked_for:
            self.asked_for = True
            self._usable = self._loaded()
        return self._usable

    def _loaded(self) -> bool:
        before = dict(os.environ)
        self._source = _source()
        try:
            for module in self._modules:
                importlib.import_module(module)
        except Exception as error:  # the jobs themselves will say what is wrong
            LOGGER.warning("jobs run by themselves, since loading failed: %s", error)
            return False
        self.variables = {name: value for name, value in os.environ.items() if before.get(name) != value}
        others = _threads() - HARMLESS_THREADS
        if others:
            LOGGER.warning("jobs run by themselves, since a fork would lose the threads %s", ", ".join(sorted(others)))
            return False
        gc.collect()
        gc.freeze()
        return True


def _source() -> str:
    """Return what changes when a file of smec is edited."""
    files = Path(smec.__file__).parent.rglob("*.py")
    return str(sorted((str(file), file.stat().st_mtime_ns) for file in files))


def _answer(connection: socket.socket, status: int) -> None:
    try:
        send_status(connection, status)
    except OSError:  # nobody waits any more
        pass
    finally:
        connection.close()


def _threads() -> set[str]:
    """Return the names of the threads besides this one: a fork would lose them, and what they hold."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if task.name != str(os.getpid()):
                found.add(task.joinpath("comm").read_text().strip())
    return found


def _run_as_job(request: Request, streams: Sequence[int], parent: int, variables: Mapping[str, str]) -> NoReturn:
    """Turn this fork into the job, as if it had been started alone, but for what runs when Python ends."""
    status = 1
    try:
        process = ctypes.CDLL(None)
        if process.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) or os.getppid() != parent:
            os._exit(1)
        process.prctl(_PR_SET_NAME, " ".join(("smec", *request.arguments[:1])).encode())
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in request.ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for here, stream in zip(STREAMS, streams, strict=True):
            os.dup2(stream, here)
        os.closerange(STREAMS[-1] + 1, os.sysconf("SC_OPEN_MAX"))
        os.umask(request.umask)
        os.chdir(request.folder)
        os.environ.clear()
        os.environ.update({**variables, **request.environment})
        tempfile.tempdir = None
        sys.argv = ["smec", *request.arguments]
        status = _run()
    except BaseException:  # nothing of the fork may go on as the server
        traceback.print_exc()
    finally:
        os._exit(status)


def _run() -> int:
    from smec.__main__ import INTERRUPTED, flushed, main

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        main()
    except KeyboardInterrupt:  # before `main` could say so
        return flushed(INTERRUPTED)
    except SystemExit as stop:
        if isinstance(stop.code, str):
            sys.stderr.write(f"{stop.code}\n")
            return flushed(1)
        return flushed(int(stop.code or 0))
    except BaseException:
        traceback.print_exc()
        return flushed(1)
    return flushed(0)


def main() -> None:
    """Serve the family and the socket that the command line names."""
    family, descriptor = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an ignored one would take the status of the forks away
    os.set_inheritable(descriptor, True)
    with socket.socket(fileno=descriptor) as listener:
        address = Path(listener.getsockname())
        if not ForkServer(listener, FAMILIES[family].modules).serve(sys.stdin.fileno()):
            os.execv(sys.executable, [sys.executable, "-m", "smec.forkserver.server", *sys.argv[1:]])  # as at first
    address.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the last one finds it empty
        address.parent.rmdir()
    os._exit(0)  # libraries that are taken apart would tell the user what they leak


if __name__ == "__main__":
    main()
