"""Fetching one large file: resumed where it was cut, retried with growing pauses, verified, and only then visible.

`beir.util.download_and_unzip` does none of this: it keeps a half file or an error page under the final name, and the
next run takes it for the data.
"""

import hashlib
import logging
import shutil
from pathlib import Path

import requests
from filelock import FileLock
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from smec.errors import SmecError
from smec.progress import progress

ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
TIMEOUTS = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""
BLOCK_BYTES = 1 << 20
PARTIAL, RANGE_REFUSED, TOO_MANY, SERVER_FAULT = 206, 416, 429, 500

logger = logging.getLogger(__name__)


class _PassingFaultError(Exception):
    """An answer that may be another one in a moment."""


PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    _PassingFaultError,
)


def md5_of_file(path: Path) -> str:
    """Return the hexadecimal md5 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def download(url: str, target: Path, md5: str) -> None:
    """Fetch `url` to `target`, unless another job has done so already.

    What has arrived stays in `{target}.part`, and the next call goes on from there. Jobs that want the same file wait
    for the first of them.

    Args:
        url: where the file is.
        target: where it goes; it appears whole and verified, or not at all.
        md5: its published checksum.

    Raises:
        SmecError: the server cannot be reached or lacks the file, the checksum differs, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.exists():
                _fetch_verified(url, target, md5)
    except requests.RequestException as error:
        raise SmecError(_unreachable(url, target, error)) from error
    except _PassingFaultError as error:
        raise SmecError(_unreachable(url, target, error)) from error
    except NotImplementedError as error:  # filelock's word for a file system without locks
        raise SmecError(
            f"The file system of {target} knows no locks, which keep jobs from fetching the same file at once. Put "
            f"`data_root` on another file system, or get {url} by hand and put it there."
        ) from error
    except OSError as error:
        raise SmecError(
            f"{target} could not be written ({error.strerror or error}). Check the folder, its permissions and the "
            "space on the disk; what has arrived is kept."
        ) from error


def _fetch_verified(url: str, target: Path, md5: str) -> None:
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    _fetch(url, part)
    found = md5_of_file(part)
    if found != md5.lower() and resumed:
        logger.warning("%s was begun earlier and its md5 is wrong: it is fetched anew", part)
        part.unlink()
        _fetch(url, part)
        found = md5_of_file(part)
    if found != md5.lower():
        part.unlink()
        raise SmecError(
            f"{url} is not the file that was meant: its md5 is {found}, wanted {md5.lower()}. It was removed. If the "
            "publisher has changed the file on purpose, set `md5` to the new value."
        )
    part.replace(target)


def _fetch(url: str, part: Path) -> None:
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
        retry=retry_if_exception_type(PASSING),
        before_sleep=_tell,
        reraise=True,
    )
    attempts(_go_on, url, part)


def _go_on(url: str, part: Path) -> None:
    """Append what is missing to `part`; a server that cannot send a range sends all of it."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as answer:
        if have and answer.status_code == RANGE_REFUSED:
            return  # nothing is missing, or the file has changed, which its checksum will tell
        _check(answer, url)
        goes_on = answer.status_code == PARTIAL
        size = int(answer.headers.get("Content-Length", 0))
        _check_disk(part, size)
        with part.open("ab" if goes_on else "wb") as stream:
            blocks = answer.iter_content(BLOCK_BYTES)
            for block in progress(blocks, f"download {part.stem} (MiB)", total=-(-size // BLOCK_BYTES) or None):
                stream.write(block)
        if size and part.stat().st_size < size + (have if goes_on else 0):
            raise _PassingFaultError("the connection was closed before the end of the file")


def _check(answer: requests.Response, url: str) -> None:
    told = f"{answer.status_code} {answer.reason}"
    if answer.status_code >= SERVER_FAULT or answer.status_code == TOO_MANY:
        raise _PassingFaultError(f"the server answers {told}")
    if not answer.ok:
        raise SmecError(f"{url} is not there: the server answers {told}. Correct `url_base`, or check the set's name.")


def _check_disk(part: Path, size: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise SmecError(
            f"{part} needs {size / 1e6:.0f} MB more, but only {free / 1e6:.0f} MB are free. Free some space, or put "
            "`data_root` on another disk."
        )


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0
    logger.warning("download attempt %d of %d: %s; again in %.0f s", state.attempt_number, ATTEMPTS, error, pause)


def _unreachable(url: str, target: Path, error: Exception) -> str:
    part = target.with_name(f"{target.name}.part")
    kept = f" {part.stat().st_size / 1e6:.1f} MB are kept and are not fetched again." if part.exists() else ""
    return (
        f"{url} could not be downloaded: {str(error)[:300]}.{kept} Run the step again on a machine that "
        f"has a network; or get the file elsewhere and put it at {target}; or set `data_root` to a folder that has it."
    )
