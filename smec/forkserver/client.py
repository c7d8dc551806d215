"""The side of the job: have it forked, wait for it, and end as it ended."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

from smec.forkserver.families import FOLDER_VARIABLE, family_of
from smec.forkserver.wire import FORWARDED, STARTED, Request, fingerprint, receive_status, send_request

LOST = "error: the process that jobs are forked from has ended; run the same command again."


def run_forked(arguments: Sequence[str]) -> int | None:
    """Run a command line of smec in a fork, and return its exit status, negative for a signal.

    Args:
        arguments: the verb and what follows.

    Returns:
        None when nothing forks this job, which then has to run in this process.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    family = family_of(arguments[0]) if arguments else None
    if not folder or family is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(os.path.join(folder, family))  # noqa: PTH118, pathlib would double what this takes
            send_request(connection, _request(arguments))
        except OSError:
            return None
        return _outcome(connection)


def end_as(status: int) -> None:
    """End this process with an exit status, or by the signal that its negative names."""
    if status < 0:
        with contextlib.suppress(OSError):  # some cannot be caught, so nothing has to be taken back
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _request(arguments: Sequence[str]) -> Request:
    umask = os.umask(0)
    os.umask(umask)
    return Request(
        arguments=list(arguments),
        folder=os.getcwd(),  # noqa: PTH109, likewise
        environment=dict(os.environ),
        umask=umask,
        ignored=[number for number in FORWARDED if signal.getsignal(number) is signal.SIG_IGN],
        fingerprint=fingerprint(),
    )


def _outcome(connection: socket.socket) -> int | None:
    """Wait for the fork, which gets the signals that reach this process; None when there is none."""
    caught: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        caught.append(number)
        with contextlib.suppress(OSError):  # the fork has ended
            connection.send(bytes([number]))

    before = {n: signal.signal(n, forward) for n in FORWARDED if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        started = receive_status(connection) == STARTED
        status = receive_status(connection) if started else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not started:
        for number in caught:  # they were meant for the job, which runs in this process
            os.kill(os.getpid(), number)
        return None
    if status is None:
        sys.stderr.write(f"{LOST}\n")
        return 1
    return status
