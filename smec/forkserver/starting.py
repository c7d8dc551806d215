"""Start the processes that jobs are forked from, for as long as this process lives."""

import atexit
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from smec.forkserver.families import FOLDER_VARIABLE

LOGGER = logging.getLogger(__name__)

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""As Snakemake sets them for a job of one thread; a job of more runs by itself."""

_held: list[subprocess.Popen[bytes]] = []
"""Nothing else keeps their standard input open."""


def start(families: Iterable[str]) -> list[subprocess.Popen[bytes]]:
    """Start a process for each family and tell the jobs of this process, through the environment, where they listen.

    The processes end when their standard input does, so with this one, however it ends.

    Returns:
        The processes; none where processes cannot be forked and watched safely, which is everywhere but on Linux from
        5.3 on, or where no socket can be made. Jobs then run by themselves.
    """
    if not _forks_can_be_watched():
        return []
    folder = Path(tempfile.mkdtemp(prefix="smec-"))  # for this user alone, so nobody else can have jobs run
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        started = [_started(family, folder) for family in families]
    except OSError as error:
        LOGGER.warning("jobs run by themselves, since no process could be started to fork them from: %s", error)
        return []
    _held.extend(started)
    os.environ[FOLDER_VARIABLE] = str(folder)
    return started


def _forks_can_be_watched() -> bool:
    if sys.platform != "linux":
        return False
    with contextlib.suppress(AttributeError, OSError):
        os.close(os.pidfd_open(os.getpid()))
        return True
    return False


def _started(family: str, folder: Path) -> subprocess.Popen[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / family))
        listener.listen(128)
        return subprocess.Popen(
            [sys.executable, "-m", "smec.forkserver.server", family, str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=(listener.fileno(),),
            env=os.environ | ONE_THREAD,
            start_new_session=True,
        )
