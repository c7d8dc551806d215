"""Vectors and ids in files, opened without reading them whole and checked block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.files import atomic_path, sha256_of_file
from smec.mapped import reopened
from smec.store_writer import refuse_unusable_rows

BLOCK_BYTES = 1 << 26
NUMERIC_KINDS = "fiu"


@dataclass(frozen=True)
class VectorFile:
    """A checked .npy file of vectors, in the type that its owner gave it."""

    path: Path
    rows: int
    dim: int
    dtype: str
    sha256: str


def read_ids(vectors: Path, ids: Path | None) -> pa.Array:
    """Return the ids of the rows of a vector file as strings.

    Args:
        vectors: .npy, or .parquet with a column `id`.
        ids: .txt or .parquet beside an .npy file; row numbers are the ids when it is None.

    Raises:
        SmecError: a file is missing or of another form, an id is null or empty, or there is not one id per row.
    """
    _require(vectors)
    if vectors.suffix == ".parquet":
        if ids is not None:
            raise SmecError(f"{vectors} brings its ids in the column 'id', so {ids} must not be given beside it.")
        return _id_column(vectors)
    rows = len(memory_map(vectors))
    if ids is None:
        return pa.array(np.arange(rows)).cast(pa.string())
    _require(ids)
    found = _id_column(ids) if ids.suffix == ".parquet" else pa.array(ids.read_text(encoding="utf-8").splitlines())
    if len(found) != rows:
        raise SmecError(f"{ids} holds {len(found)} ids, but {vectors} has {rows} rows. There must be one id per row.")
    return _checked_ids(found, ids)


def open_vectors(path: Path, ids: pa.Array, copy: Path) -> VectorFile:
    """Check a vector file block by block.

    Args:
        path: .npy of shape (rows, dim), or .parquet with a list column `vector`.
        ids: the ids of its rows, to name the row at fault.
        copy: where the vectors of a .parquet file are written as .npy, which can be memory-mapped.

    Raises:
        SmecError: the shape or type does not fit, vectors differ in length, or one is zero or not finite.
    """
    if path.suffix == ".parquet":
        _copy_parquet(path, copy)
        path = copy
    vectors = memory_map(path)
    for start, block in _blocks(vectors):
        refuse_unusable_rows(block, ids.slice(start, len(block)), str(path))
    return VectorFile(path, len(vectors), vectors.shape[1], vectors.dtype.name, sha256_of_file(path))


def memory_map(path: Path) -> NDArray[Any]:
    """Open an .npy file of vectors without reading it.

    Raises:
        SmecError: the file is missing or truncated, or does not hold real numbers of shape (rows, dim).
    """
    _require(path)
    if path.suffix != ".npy":
        raise SmecError(f"{path} is neither .npy nor .parquet. Save the vectors in one of these forms.")
    try:
        vectors: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SmecError(f"{path} is not a readable npy file of numbers ({error}). Save it again.") from error
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in NUMERIC_KINDS:
        raise SmecError(
            f"{path} holds {vectors.dtype} of shape {vectors.shape}. Vectors must be real numbers of shape (rows, dim)."
        )
    return vectors


def side_by_side(paths: Sequence[Path], ids: Sequence[str], copy: Path) -> VectorFile:
    """Scale the rows of each file to unit length and write them side by side, block by block.

    Args:
        paths: .npy files with the same number of rows.
        ids: of the rows, to name the row at fault.
        copy: the .npy file that is written, float32.

    Raises:
        SmecError: the files differ in rows, or a vector is zero or not finite.
    """
    from smec.backbones.base import unit_rows

    parts = [memory_map(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if len(part) != len(parts[0]):
            raise SmecError(f"{path} has {len(part)} rows, but {paths[0]} has {len(parts[0])}. Rows must correspond.")
    shape = len(parts[0]), sum(part.shape[1] for part in parts)
    rows = max(1, BLOCK_BYTES // (shape[1] * np.dtype(np.float32).itemsize))
    with atomic_path(copy) as temporary, temporary.open("wb") as stream:
        header = np.lib.format.header_data_from_array_1_0(np.empty((0, shape[1]), dtype=np.float32))
        np.lib.format.write_array_header_1_0(stream, {**header, "shape": shape})
        for start in range(0, shape[0], rows):
            blocks = [reopened(part)[start : start + rows] for part in parts]
            for path, block in zip(paths, blocks, strict=True):
                refuse_unusable_rows(block, ids[start : start + rows], str(path))
            stream.write(np.ascontiguousarray(np.concatenate([unit_rows(block) for block in blocks], axis=1)).data)
    return VectorFile(copy, *shape, "float32", sha256_of_file(copy))


def width_of(path: Path) -> int:
    """Return the length of the vectors of an .npy or .parquet file, by its header or its first row.

    Raises:
        SmecError: the file is missing or is not one of vectors.
    """
    _require(path)
    if path.suffix != ".parquet":
        return int(memory_map(path).shape[1])
    with _parquet(path) as file:
        return int(_first_vector(file, path).shape[1])


def _blocks(vectors: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    rows = max(1, BLOCK_BYTES // (vectors.shape[1] * vectors.itemsize))
    for start in range(0, len(vectors), rows):
        yield start, reopened(vectors)[start : start + rows]


def _copy_parquet(path: Path, copy: Path) -> None:
    """Stream the column `vector` of a parquet file into an npy file of the same type."""
    with _parquet(path) as file:
        sample = _first_vector(file, path)
        with atomic_path(copy) as temporary, temporary.open("wb") as stream:
            header = np.lib.format.header_data_from_array_1_0(sample)
            np.lib.format.write_array_header_1_0(stream, {**header, "shape": (file.metadata.num_rows, sample.shape[1])})
            done = 0
            for batch in file.iter_batches(max(1, BLOCK_BYTES // sample.nbytes), columns=["vector"]):
                block = _matrix(batch.column(0), sample.shape[1], path, done)
                stream.write(np.ascontiguousarray(block).data)
                done += len(block)


def _first_vector(file: pq.ParquetFile, path: Path) -> NDArray[Any]:
    if "vector" not in file.schema_arrow.names:
        raise SmecError(f"{path} has no column 'vector'; it has {file.schema_arrow.names}. Rename the right one.")
    first = next(file.iter_batches(1, columns=["vector"]), None)
    if first is None:
        raise SmecError(f"{path} has no rows. Check that the file is complete.")
    return _matrix(first.column(0), None, path, 0)


def _matrix(column: pa.Array, dim: int | None, path: Path, first_row: int) -> NDArray[Any]:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise SmecError(f"The column 'vector' of {path} holds {kind}. It must hold lists of numbers.")
    if not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise SmecError(f"The column 'vector' of {path} holds lists of {kind.value_type}, not of numbers.")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    dim = int(lengths[0]) if dim is None else dim
    if dim == 0 or (lengths != dim).any():
        row = 0 if dim == 0 else int(np.argmax(lengths != dim))
        raise SmecError(
            f"Row {first_row + row} of {path} has a vector of {lengths[row]} numbers, the first row has {dim}."
        )
    values = column.flatten()
    if values.null_count:
        row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // dim
        raise SmecError(
            f"Row {first_row + row} of {path} has a vector with a null in it. Fill it in, or remove the row."
        )
    matrix: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(-1, dim)
    return matrix


def _id_column(path: Path) -> pa.Array:
    with _parquet(path) as file:
        if "id" not in file.schema_arrow.names:
            raise SmecError(f"{path} has no column 'id'; it has {file.schema_arrow.names}. Rename the right one.")
        return _checked_ids(file.read(columns=["id"])["id"].combine_chunks(), path)


def _checked_ids(found: pa.Array, path: Path) -> pa.Array:
    if not (pa.types.is_integer(found.type) or pa.types.is_string(found.type) or pa.types.is_large_string(found.type)):
        raise SmecError(f"The ids of {path} are {found.type}. They must be texts or whole numbers.")
    texts = found.cast(pa.string())
    bad = pc.fill_null(pc.equal(texts, ""), True).to_numpy(zero_copy_only=False)
    if bad.any():
        raise SmecError(f"The id in row {int(np.argmax(bad))} of {path} is missing or empty. Every row needs an id.")
    return texts


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SmecError(f"{path} is not a whole parquet file ({error}). Save it again.") from error


def _require(path: Path) -> None:
    if not path.is_file():
        raise SmecError(f"The file {path} does not exist. Correct the path.")
