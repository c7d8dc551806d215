"""What a job and the process that forks it tell each other over a Unix socket.

The job sends its length, with its three standard streams, and then itself as JSON. Later it may send the number of a
signal, one byte each. The first answer is `REFUSED` or `STARTED`; after that comes an exit status, or the negative
number of a signal. A job that hears nothing at all has not been started.
"""

import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import smec

REFUSED = 1 << 16
"""The answer to a job that has to run by itself."""

STARTED = 1 << 17
"""The answer to a job that runs."""

FORWARDED: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that reach the fork. A stopped job (SIGTSTP) waits, while its fork goes on."""

STREAMS = (0, 1, 2)
SETTLING = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "KMP_", "PYTHON", "LD_", "HF_", "TORCH", "CUDA_", "TRANSFORMERS_")
"""Beginnings of environment variables that libraries read while they are loaded."""
_LENGTH = struct.Struct("!Q")
_STATUS = struct.Struct("!i")
_LARGEST = 1 << 26


@dataclass(frozen=True)
class Request:
    """A job: what a process of its own would have been started with."""

    arguments: list[str]
    folder: str
    environment: dict[str, str] = field(repr=False)  # it holds keys
    umask: int
    ignored: list[int]
    """Those of `FORWARDED` that it was told to ignore."""
    fingerprint: dict[str, str]
    """What has to be the same where it is forked, see `fingerprint`."""


def fingerprint() -> dict[str, str]:
    """Return what is settled once libraries are loaded: interpreter, source of smec, variables that they read."""
    read = {name: value for name, value in os.environ.items() if name.startswith(SETTLING)}
    return read | {"python": sys.executable, "smec": str(Path(smec.__file__).resolve())}


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a job with the standard streams of this process."""
    text = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(text))], STREAMS)
    connection.sendall(text)


def receive_request(connection: socket.socket) -> tuple[Request, list[int]]:
    """Return a job and its streams, as descriptors of this process.

    Raises:
        ValueError: what arrives is no job.
        OSError: the connection fails.
    """
    head, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, len(STREAMS))
    try:
        if len(head) < _LENGTH.size or len(streams) < len(STREAMS):
            raise ValueError("no job arrived")
        (length,) = _LENGTH.unpack(head)
        if length > _LARGEST:
            raise ValueError(f"a job of {length} bytes is more than can be meant")
        return Request(**json.loads(_received(connection, length))), streams
    except TypeError as error:
        _close(streams)
        raise ValueError(f"a job of another form: {error}") from error
    except BaseException:
        _close(streams)
        raise


def _close(streams: Sequence[int]) -> None:
    for stream in streams:
        os.close(stream)


def send_status(connection: socket.socket, status: int) -> None:
    """Send the answer."""
    connection.sendall(_STATUS.pack(status))


def receive_status(connection: socket.socket) -> int | None:
    """Return the answer, or None when the other side ends without one."""
    try:
        return int(_STATUS.unpack(_received(connection, _STATUS.size))[0])
    except (ValueError, ConnectionError):
        return None


def _received(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = connection.recv(length - len(found))
        if not part:
            raise ValueError(f"the connection ended after {len(found)} of {length} bytes")
        found += part
    return bytes(found)
