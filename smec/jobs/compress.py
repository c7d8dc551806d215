"""`smec compress`: make a file of vectors small, block by block, whatever its length."""

from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from smec.backbones.base import unit_rows
from smec.datasets.vector_files import memory_map
from smec.errors import SmecError, nearest_name
from smec.files import atomic_path
from smec.fitted import open_compressor
from smec.mapped import reopened
from smec.method import Compressor
from smec.progress import progress
from smec.sides import Side
from smec.store_writer import refuse_unusable_rows

Dtype = Literal["float32", "float16"]

TILE_ROWS = 4096
"""Rows of one matrix product. Products are always of this many rows and start at multiples of it, because the last bits
of a product depend on its shape and on the place of a row in it."""

BLOCK_BYTES = 1 << 26
"""Input that is held in memory at once."""


def run(
    compressor: Path,
    size: int,
    source: Path,
    output: Path,
    dtype: Dtype = "float32",
    block_rows: int | None = None,
    side: Side | None = None,
) -> None:
    """Compress every row of an .npy file and write an .npy file, which appears when it is complete.

    Rows need not be of unit length; the result is, as far as its number format goes.

    Args:
        compressor: folder of a run, or a stage file.
        size: d, one of the sizes that it was fitted for.
        source: .npy, numbers (n, M).
        output: .npy, `dtype` (n, d).
        dtype: number format of the result.
        block_rows: rows that are read at once, in whole tiles; as many as fit 64 MiB if None. The result does not
            depend on it.
        side: whose vectors they are; it matters only where queries and documents have a map each, and must be given.

    Raises:
        SmecError: there is no such compressor or size, `side` is not given where it matters, the file is not one of
            vectors of the right width, a row is all zeros or has a NaN or infinite value, before or after compression,
            or the disk is full.
    """
    if source.suffix != ".npy" and source.exists():
        raise SmecError(f"`--input {source}` is not .npy, the only form that compress reads. Save it by numpy.save.")
    opened = open_compressor(compressor, side)
    vectors = memory_map(source)
    _check(opened, size, source, output, vectors)
    wanted = block_rows or BLOCK_BYTES // (vectors.shape[1] * 4)
    rows = max(1, wanted // TILE_ROWS) * TILE_ROWS
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (len(vectors), size)}
    with atomic_path(output) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in progress(range(0, len(vectors), rows), "compress"):
            block = reopened(vectors)[start : start + rows]
            names = [f"row {row}" for row in range(start, start + len(block))]
            refuse_unusable_rows(block, names, str(source))
            small = compressed(opened, unit_rows(block), size).astype(dtype)
            refuse_unusable_rows(small, names, f"{source}, compressed to {size} dimensions,")
            _write(stream, small)


def parsed_dtype(name: str) -> Dtype:
    """Return a number format by its name.

    Raises:
        SmecError: it is none that is written.
    """
    return cast(Dtype, _known("--dtype", name, get_args(Dtype)))


def parsed_side(name: str | None) -> Side | None:
    """Return a side by its name; None where none is given.

    Raises:
        SmecError: there is no such side.
    """
    return None if name is None else cast(Side, _known("--side", name, get_args(Side)))


def _known(option: str, name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise SmecError(f"`{option} {name}` is unknown. {nearest_name(name, names)}")
    return name


def compressed(compressor: Compressor, vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Compress unit vectors, float32 (n, M), to float32 (n, size), in matrix products of one shape."""
    result = np.empty((len(vectors), size), dtype=np.float32)
    for start in range(0, len(vectors), TILE_ROWS):
        tile = vectors[start : start + TILE_ROWS]
        padding = np.zeros((TILE_ROWS - len(tile), tile.shape[1]), dtype=np.float32)
        whole = np.concatenate([tile, padding]) if len(padding) else tile
        result[start : start + len(tile)] = compressor.transform(whole, size)[: len(tile)]
    return result


def _check(compressor: Compressor, size: int, source: Path, output: Path, vectors: NDArray[Any]) -> None:
    """Raise `SmecError` for what can be known before the first row is read."""
    if output.suffix != ".npy":
        raise SmecError(f"The output {output} must end in .npy, the only form that is written.")
    if output.exists() and output.samefile(source):
        raise SmecError(f"The output {output} is the input. Give another name: the input is read to the last row.")
    if size not in compressor.sizes:
        raise SmecError(
            f"The compressor was not fitted for {size} dimensions; it has {', '.join(map(str, compressor.sizes))}. Ask "
            "for one of these, or fit it again with this size among `--sizes`."
        )
    compressor.transform(np.zeros((1, vectors.shape[1]), dtype=np.float32), size)


def _write(stream: IO[bytes], block: NDArray[Any]) -> None:
    stream.write(np.ascontiguousarray(block).data)
