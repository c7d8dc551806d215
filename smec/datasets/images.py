"""Images as a column of a dataset: files below a folder, each with its sha256, or small images stored in the table."""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from smec.errors import SmecError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MOST_THREADS = 16
SMALL = (64, 64)
"""A JPEG is decoded to about this size when it is only checked: every byte is read, few pixels are made."""
HOW_TO_PREPARE_AGAIN = (
    "To prepare it again, delete its folder in results/data and run the same command, or add `--forcerun fetch` to "
    "snakemake, which prepares every dataset anew."
)


@dataclass(frozen=True)
class Image:
    """One image of a dataset, not yet read.

    Attributes:
        name: path or id, for messages.
        path: the file; None where the image is stored.
        content: the stored image file; None where it is a file.
        sha256: of the file when the dataset was prepared.
    """

    name: str
    path: Path | None = None
    content: bytes | None = None
    sha256: str | None = None

    def read(self) -> bytes:
        """Return the image file as bytes.

        Raises:
            SmecError: the file is gone, or is not the one that was prepared.
        """
        if self.content is not None:
            return self.content
        assert self.path is not None
        try:
            found = self.path.read_bytes()
        except OSError as error:
            raise SmecError(
                f"The image {self.path} cannot be read ({error.strerror or error}). Put it back, or prepare the "
                f"dataset again without it. {HOW_TO_PREPARE_AGAIN}"
            ) from error
        if self.sha256 is not None and hashlib.sha256(found).hexdigest() != self.sha256:
            raise SmecError(f"The image {self.path} has changed since the dataset was prepared. {HOW_TO_PREPARE_AGAIN}")
        return found


def file_table(ids: Sequence[str], files: Sequence[str], hashes: Sequence[str]) -> pa.Table:
    """Return a table with the columns id, file and sha256 (string); `files` lie below the manifest's root."""
    columns = {"id": ids, "file": files, "sha256": hashes}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def stored_table(ids: Sequence[str], contents: Sequence[bytes]) -> pa.Table:
    """Return a table with the columns id (string) and image (large_binary, each a whole image file)."""
    return pa.table({"id": pa.array(ids, pa.string()), "image": pa.array(contents, pa.large_binary())})


def inspect(root: Path, files: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Read and decode every file once, several at a time.

    Args:
        root: the folder that `files` are relative to.
        files: paths of images.

    Returns:
        The sha256 of each file ("" for one with a fault), and the fault of each file that has one, in words.
    """
    workers = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    # Reading, hashing and decoding all release the interpreter's lock.
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda file: _inspected(root / file), files))
    faults = {file: fault for file, (_, fault) in zip(files, found, strict=True) if fault}
    return [digest for digest, _ in found], faults


def decode(content: bytes, draft: bool = False) -> None:
    """Raise `ValueError` with the reason when `content` is not a whole image that Pillow decodes.

    Args:
        content: an image file.
        draft: decode a JPEG at a fraction of its size, which takes a fraction of the time.
    """
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(content)) as image:
            if draft:
                image.draft(None, SMALL)
            image.load()
    except UnidentifiedImageError as error:
        raise ValueError("not an image of a known format" if content else "the file is empty") from error
    # Pillow's decoders raise anything, from OSError to SyntaxError and struct.error.
    except Exception as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _inspected(path: Path) -> tuple[str, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return "", error.strerror or str(error)
    try:
        decode(content, draft=True)
    except ValueError as error:
        return "", str(error)
    return hashlib.sha256(content).hexdigest(), ""
