"""Principal axes against scikit-learn's PCA: `python -m benchmarks pca`.

Both find all axes of the same float32 vectors in memory. scikit-learn is asked twice: for the eigenvectors of the
covariance, as ours, and for what it chooses by itself.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from benchmarks.common import Comparison, compare, want_ratio
from smec.basis import principal_axes

MOST = 1.1
"""As fast, up to the noise of a shared machine; ours adds up in float64."""


def measure(toy: bool = False) -> list[Comparison]:
    """Compare at two sizes."""
    sizes = [(200, 12, 1)] if toy else [(100_000, 384, 5), (20_000, 3584, 1)]
    return [row for rows, width, rounds in sizes for row in _at(rows, width, rounds)]


def _at(rows: int, width: int, rounds: int) -> list[Comparison]:
    vectors = np.random.default_rng(0).standard_normal((rows, width), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    solvers = {"scikit-learn PCA, covariance_eigh": "covariance_eigh", "scikit-learn PCA, default": "auto"}
    peers = [(name, _fit(solver, vectors)) for name, solver in solvers.items()]
    ours = (f"smec principal_axes, {rows} x {width}", lambda: principal_axes(vectors, center=True))
    return want_ratio(compare(ours, peers, rounds), MOST)


def _fit(solver: str, vectors: NDArray[np.float32]) -> Callable[[], object]:
    return lambda: PCA(svd_solver=solver).fit(vectors)
