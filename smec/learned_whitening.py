"""Learned whitening: axes along which a query and its relevant documents differ most count least.

Mikolajczyk and Matas (ICCV 2007), as used for retrieval by Radenovic et al. (arXiv 1711.02512), in closed
form: the second moment of the differences of relevant pairs is whitened, and the documents are then rotated to their
principal axes. It is a linear discriminant whose classes are the relevant pairs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smec.basis import axes_of, second_moment
from smec.row_blocks import released
from smec.sides import Sides

if TYPE_CHECKING:
    from smec.judgements import Judgements
    from smec.training_data import TrainingData

SHRINKAGES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Shares of the mean variance of the differences that are added to all their variances; validation chooses.

The last is next to the principal axes alone, for where labels are few or tell nothing."""

CHOSEN_AT = (2, 4, 8)
"""The width divided by these gives the sizes whose validation scores choose."""

ROWS_AT_ONCE = 16_384
"""Relevant pairs, and documents, that are looked at at once."""


def learned_whitening(data: "TrainingData", shrinkage: float | None = None) -> NDArray[np.float32]:
    """Return the map of learned whitening.

    Args:
        data: training queries and what is relevant to them.
        shrinkage: share of the mean variance of the differences that is added to each; None: that of `SHRINKAGES`
            which the validation queries like best.

    Returns:
        float32 (M, M), strongest row first; its rows have length 1 on average, which no cosine depends on.
    """
    differences = np.linalg.eigh(pair_differences(data.queries, data.documents, data.positives))
    documents = second_moment(data.documents, center=False)[1]
    tried = SHRINKAGES if shrinkage is None else (shrinkage,)
    maps = (whitened_axes(differences.eigenvalues, differences.eigenvectors, documents, share) for share in tried)
    return max(maps, key=_judge(data)) if shrinkage is None else next(maps)


def _judge(data: "TrainingData") -> Callable[[NDArray[np.float32]], float]:
    """Return what says how well the validation queries like a map."""
    import torch

    from smec.validation import ValidationSet, linear

    validation = ValidationSet(data, torch.device("cpu"))
    sizes = judged_sizes(data.width)
    return lambda rows: float(np.mean(validation.ndcg(linear(Sides.shared(torch.from_numpy(rows))), sizes)))


def judged_sizes(width: int) -> tuple[int, ...]:
    """Return the sizes, largest first, whose validation scores choose for vectors of `width` dimensions."""
    return tuple(sorted({max(1, width // divisor) for divisor in CHOSEN_AT}, reverse=True))


def pair_differences(
    queries: NDArray[np.float32], documents: NDArray[np.float32], relevant: "Judgements"
) -> NDArray[np.float64]:
    """Return the second moment of `q - d` over the relevant pairs, all queries weighing equal.

    `mean_q mean_{d relevant to q} (q - d)(q - d)^T`. The differences are never written out: with classes of thousands
    there are too many.

    Args:
        queries: float32 (n, M).
        documents: float32 (N, M).
        relevant: judgements above 0; rows index `queries` and `documents`.

    Returns:
        float64 (M, M).
    """
    from scipy.sparse import csr_array

    width = queries.shape[1]
    total, weight = np.zeros((width, width)), np.zeros(len(documents))
    for block in relevant.blocks(ROWS_AT_ONCE):
        share = np.repeat(1 / block.counts, block.counts)
        weight += np.bincount(block.corpus_rows, share, len(documents))
        shares = csr_array((share.astype(np.float32), block.corpus_rows, block.offsets), (len(block), len(documents)))
        asked = queries[block.query_rows]
        across = asked.T @ (shares @ documents)
        total += asked.T @ asked - across - across.T
        released(queries)
        released(documents)
    found = np.flatnonzero(weight)
    for rows in np.split(found, range(ROWS_AT_ONCE, len(found), ROWS_AT_ONCE)):
        weighted = documents[rows] * np.sqrt(weight[rows, None]).astype(np.float32)
        total += weighted.T @ weighted
        released(documents)
    return total / len(relevant)


def whitened_axes(
    variances: NDArray[np.float64], axes: NDArray[np.float64], documents: NDArray[np.float64], shrinkage: float
) -> NDArray[np.float32]:
    """Return the principal axes of the documents after the differences have been whitened.

    Args:
        variances: float64 (M,), of the differences along their axes.
        axes: float64 (M, M), the axes as columns.
        documents: float64 (M, M), second moment of the documents.
        shrinkage: share of the mean variance that is added to each variance.

    Returns:
        float32 (M, M), strongest row first, of length 1 on average.
    """
    variances = np.maximum(variances, 0)
    whitening = (axes / np.sqrt(variances + shrinkage * variances.mean())) @ axes.T
    rows = axes_of(whitening @ documents @ whitening)[0] @ whitening
    rows *= np.sqrt(len(rows)) / np.linalg.norm(rows)
    return np.ascontiguousarray(rows, dtype=np.float32)
