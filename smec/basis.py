"""Starting points that need no label: the identity and the principal axes of the training vectors."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smec.row_blocks import column_mean, released, row_blocks

BasisName = Literal["identity", "pca"]
"""A start of a map that no label has touched; both are orthonormal."""

StartName = Literal[BasisName, "learned_whitening"]

BLOCK_ROWS = 16384


def second_moment(
    vectors: NDArray[np.float32], center: bool, block_rows: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (M,) and the covariance (M, M) of `vectors` (n, M), read in blocks of rows, 16,384 if not said.

    Products are taken in float32 per block and added up in float64. Without `center` the mean is zero and the
    covariance is the second moment about the origin, which is what cosine similarity sees.
    """
    count, width = vectors.shape
    mean = column_mean(row_blocks(vectors)) if center else np.zeros(width)
    moment = np.zeros((width, width))
    rows_at_once = block_rows or BLOCK_ROWS
    for start in range(0, count, rows_at_once):
        block = vectors[start : start + rows_at_once] - mean.astype(np.float32)
        moment += block.T @ block
        released(vectors)
    return mean, moment / max(count, 1)


def moment_of_blocks(blocks: Iterable[NDArray[np.float32]], width: int) -> NDArray[np.float64]:
    """Return the second moment about the origin, float64 (d, d), of blocks of vectors (b, d); d is the `width`."""
    total, count = np.zeros((width, width)), 0
    for block in blocks:
        for start in range(0, len(block), BLOCK_ROWS):
            part = block[start : start + BLOCK_ROWS]
            total += part.T @ part
        count += len(block)
    return total / max(count, 1)


def principal_axes(
    vectors: NDArray[np.float32], center: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Return the principal axes of `vectors`, strongest first.

    The sign of each axis is fixed (its entry of largest size is positive), so that equal input gives equal output.

    Args:
        vectors: float32 (n, M).
        center: subtract the mean before the covariance is taken.

    Returns:
        Axes as rows, float32 (M, M), orthonormal; their variances, float64 (M,); the mean, float64 (M,).
    """
    mean, covariance = second_moment(vectors, center)
    axes, variances = axes_of(covariance)
    return axes.astype(np.float32), variances, mean


def axes_of(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvectors of a covariance (M, M) as rows, float64 (M, M), and their variances, largest first."""
    variances, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1].T
    strongest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), strongest])[:, None]
    return axes, np.maximum(variances[::-1], 0.0)
