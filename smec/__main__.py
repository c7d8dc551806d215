"""Entry point: faults of the input become one paragraph, an interruption a short word, and both an exit status."""

import errno
import gc
import logging
import os
import signal
import sys
from typing import NoReturn

from smec.errors import SmecError
from smec.forkserver.client import end_as, run_forked

INTERRUPTED = 130
TERMINATED = 143
"""Exit status of a job that a scheduler stops; leaving by an exception removes what is half written."""

COLLECTOR_THRESHOLD = 100_000
"""New objects between two searches for unreachable cycles. Imports make a million objects, none of them garbage: the
usual 700 makes importing sentence-transformers take a seventh longer."""

DISK_FULL = (
    "The disk is full. Files are written under a temporary name first, so nothing half-written was left behind: free "
    "some space and run the same command again, it goes on from the last complete file."
)


def main() -> None:
    """Run the command line."""
    gc.set_threshold(COLLECTOR_THRESHOLD)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for talkative in ("faiss", "fontTools"):  # one tells what it loads, the other every table of every font
        logging.getLogger(talkative).setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        from smec.cli import app

        app(prog_name="smec")
    except SmecError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        _stop_interrupted()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # what typer makes of an interruption
            _stop_interrupted()
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(f"error: {DISK_FULL}")


def _stop_interrupted() -> NoReturn:
    print("interrupted: complete files stay, run the same command again to go on", file=sys.stderr)  # noqa: T201
    sys.exit(INTERRUPTED)


def flushed(status: int) -> int:
    """Return the exit status of a process that is about to end without taking its objects apart.

    Files are closed by then, and what they hold is under its final name.
    """
    logging.shutdown()
    try:
        sys.stdout.flush()
    except OSError as error:  # such as a closed pipe
        sys.stderr.write(f"error: not all of the output could be written ({error.strerror})\n")
        status = status or 1
    sys.stderr.flush()
    return status


def _main_or_fork() -> None:
    status = run_forked(sys.argv[1:])
    if status is not None:
        end_as(status)
    try:
        main()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # Python forgets the status where it was interrupted in code of an `exec`
            os._exit(flushed(INTERRUPTED))
        if stop.code not in (None, 0):
            raise
    if sys.getprofile() is None and sys.gettrace() is None:  # a profiler reports when the process ends
        os._exit(flushed(0))  # the usual end takes a job that has loaded torch a third of a second


if __name__ == "__main__":
    _main_or_fork()
