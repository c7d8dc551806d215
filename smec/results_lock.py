"""One workflow at a time in a folder of results, also where several checkouts share it by a link.

Snakemake locks the folder that it is called in, which is another one for each checkout.
"""

import logging
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from smec.errors import SmecError

NAME = "workflow.lock"
"""Held by the system for as long as the process lives, so that none is left behind by one that was killed."""

LOGGER = logging.getLogger(__name__)

_held: list[FileLock] = []


def hold(results: Path) -> None:
    """Keep other workflows out of a folder of results until this process ends.

    Where the file system has no locks, a warning says that nobody is kept out.

    Raises:
        SmecError: another one is at work there.
    """
    results.mkdir(parents=True, exist_ok=True)
    lock = FileLock(results / NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise SmecError(
            f"Another workflow is at work in {results.resolve()}: {_holder(results)}. Two would overwrite each other's "
            "files: let it finish, or give this one a folder of results of its own."
        ) from error
    except NotImplementedError:
        LOGGER.warning("%s is on a file system without locks: start no second workflow there", results.resolve())
        return
    _held.append(lock)
    (results / NAME).write_text(f"process {os.getpid()} on {socket.gethostname()}\n")


def _holder(results: Path) -> str:
    try:
        return (results / NAME).read_text().strip() or "one that is just starting"
    except OSError:
        return "one that cannot be named"
