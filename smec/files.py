"""Files that are either whole or absent: every write goes to a temporary name and is renamed when complete."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smec.errors import SmecError

HASH_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends, and vanishes when it fails.

    The temporary name keeps the suffix of `path`, because writers such as `numpy.save` append one otherwise.

    Raises:
        SmecError: the disk is full or the folder cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise _explained(error, target) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise _explained(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON with a closing newline, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path, made_by_user: bool = False) -> Any:
    """Return the parsed JSON file.

    Args:
        path: the file.
        made_by_user: no step of the workflow makes it, so that it has to be corrected and not made anew.

    Raises:
        SmecError: the file is missing, cannot be read or is not JSON.
    """
    absent = "Correct the path." if made_by_user else "Run the step that makes it, or correct the path."
    broken = "Correct it." if made_by_user else "Delete it and run the step that makes it."
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SmecError(f"{path} does not exist. {absent}") from error
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise SmecError(f"{path} cannot be read ({error.strerror}). Correct the path or its permissions.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SmecError(f"{path} is not valid JSON ({error}). {broken}") from error


def sha256_of_file(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_json(value: Any) -> str:
    """Return the hexadecimal sha256 of `value` in canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _explained(error: OSError, target: Path) -> SmecError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SmecError(
            f"The disk is full while writing {target}. Nothing half-written was left behind: free some space and run "
            "the same command again, it goes on from the last complete file."
        )
    return SmecError(f"{target} could not be written ({error.strerror or error}). Check the path and its permissions.")
