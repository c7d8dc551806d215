"""Linear compressors: one matrix per size, then unit length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.method import Compressor, Stage
from smec.sides import Sides, combined


def normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows of `vectors` (n, d) at unit length; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    unit: NDArray[np.float32] = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


def truncated(vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the first `size` dimensions of each row at unit length; the input is not touched."""
    return normalized(vectors[:, :size])


@dataclass(frozen=True)
class LinearCompressor:
    """`normalize(W x + b)` with one `W`, float32 (size, M), and `b`, float32 (size,), per size."""

    weights: Mapping[int, NDArray[np.float32]]
    biases: Mapping[int, NDArray[np.float32]]

    @staticmethod
    def from_stages(stages: Sequence[Stage]) -> Sides[Compressor]:
        """Collect the matrices of all stages for each side; where two serve one size the later one counts.

        Raises:
            SmecError: there is no stage.
        """
        if not stages:
            raise SmecError("A compressor needs at least one stage file.")
        weights: dict[int, Sides[NDArray[np.float32]]] = {}
        biases: dict[int, NDArray[np.float32]] = {}
        for stage in stages:
            for size, name in stage.outputs.items():
                weights[size] = stage.matrices(name).each(partial(_first_rows, size))
                bias = stage.tensors.get(f"{name}_bias")
                biases[size] = np.zeros(size, np.float32) if bias is None else np.asarray(bias[:size], np.float32)

        def of_side(*matrices: NDArray[np.float32]) -> Compressor:
            return LinearCompressor(dict(zip(weights, matrices, strict=True)), biases)

        return combined(of_side, *weights.values())

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that it can produce, largest first."""
        return tuple(sorted(self.weights, reverse=True))

    def transform(self, vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Compress unit vectors, float32 (n, M), to unit vectors, float32 (n, size).

        Raises:
            SmecError: the compressor was not fitted for `size`, or the vectors have another width.
        """
        if size not in self.weights:
            raise SmecError(f"This compressor was not fitted for {size} dimensions; it has {list(self.sizes)}.")
        weight = self.weights[size]
        if vectors.shape[1] != weight.shape[1]:
            raise SmecError(
                f"The vectors have {vectors.shape[1]} dimensions and the compressor reads {weight.shape[1]}: it was "
                "fitted on another backbone."
            )
        return normalized(vectors @ weight.T + self.biases[size])


def _first_rows(size: int, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    # BLAS may round differently on another order of axes, and a file keeps one order only.
    return np.ascontiguousarray(matrix[:size], dtype=np.float32)
