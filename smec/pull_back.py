"""Pulling a trained map back towards the frozen space, as far as the validation queries ask.

With few or noisy labels a trained map can end below the frozen baseline that it started from. The map is therefore
compared with the better of two frozen baselines of its size, principal axes and truncation, on queries that it was not
trained on, and mixed with it. Where nothing shows that it is better than the baseline, the baseline itself is kept.

A map that started from learned whitening can also end below that start, which is closed form and takes less from the
labels. It is then mixed with the start in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg

from smec.basis import BasisName, StartName
from smec.row_blocks import row_blocks
from smec.sides import Sides
from smec.statistics import significantly_above
from smec.training_data import TrainingData
from smec.validation import ValidationSet, linear

Maps = Sides[NDArray[np.float32]]

BASELINES: tuple[BasisName, ...] = ("identity", "pca")

SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the trained map that are tried; 0, the baseline, is what remains."""

PREFERENCE = 0.16
"""p at which another choice is preferred to the usual one: one standard error, where queries are many."""

LABELLED_QUERIES = 2000
"""Training queries that are used, at most, to choose between two baselines that no label has touched."""


@dataclass(frozen=True)
class PullBack:
    """How much of a trained map is kept: `share` of it, the rest of the untrained map `basis`."""

    basis: StartName
    share: float

    def apply(self, trained: Maps, data: TrainingData, whitened: NDArray[np.float32] | None = None) -> Maps:
        """Return the mixtures, float32 (d, M) each, of trained maps and the untrained map of their size.

        Args:
            trained: float32 (d, M) each.
            data: training data, for the baselines.
            whitened: float32 (d or more, M), of learned whitening, if that is the basis.
        """
        if self.share == 1.0:
            return trained
        size = len(trained.corpus)
        if self.basis == "learned_whitening":
            assert whitened is not None
            untrained = whitened[:size]
        else:
            untrained = baseline_rows(self.basis, data, size)
        return _mixed(self.share, aligned(trained, untrained, data.documents), untrained)


def aligned(trained: Maps, baseline: NDArray[np.float32], documents: NDArray[np.float32]) -> Maps:
    """Rotate and scale the outputs of `trained` so that those of documents lie as near to `baseline`'s as they can.

    Neither changes a cosine, because queries and documents are turned alike. Rotation: orthogonal Procrustes on the
    outputs of the documents (Schoenemann 1966).

    Args:
        trained: float32 (d, M) each.
        baseline: float32 (d, M).
        documents: float32 (N, M).

    Returns:
        float32 (d, M) each.
    """
    together, lengths = np.zeros((len(baseline), len(trained.corpus)), dtype=np.float32), np.zeros(2)
    for block in row_blocks(documents):
        outputs, targets = block @ trained.corpus.T, block @ baseline.T
        together += targets.T @ outputs
        lengths += [_square(targets), _square(outputs)]
    # In float32, as the maps are: at 3,584 dimensions float64 would need as much memory as all else together.
    left, _, right = linalg.svd(together, overwrite_a=True, check_finite=False)
    target, own = np.sqrt(lengths.astype(np.float32))
    rotation = target / max(float(own), 1e-12) * (left @ right)

    def rotated(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        turned: NDArray[np.float32] = (rotation @ rows).astype(np.float32)
        return turned

    return trained.each(rotated)


def _square(outputs: NDArray[np.float32]) -> float:
    flat = outputs.ravel()
    return float(flat @ flat)


def better_baseline(data: TrainingData, size: int) -> BasisName:
    """Return the frozen baseline that serves a size better: principal axes, unless truncation is clearly better.

    No label has touched either, so the training queries count as well as the validation queries. Truncation has to be
    significantly ahead.
    """
    if size >= data.width:
        return "identity"
    judged = ValidationSet(data.labelled_sample(LABELLED_QUERIES), torch.device("cpu"))
    identity, pca = (_scores(judged, Sides.shared(baseline_rows(name, data, size))) for name in BASELINES)
    return "identity" if significantly_above(identity, pca) else "pca"


def baseline_rows(basis: BasisName, data: TrainingData, size: int) -> NDArray[np.float32]:
    """Return the baseline's map, float32 (size, M)."""
    return data.basis(basis)[:size]


def choose(
    trained: Maps,
    data: TrainingData,
    validation: ValidationSet,
    whitened: NDArray[np.float32] | None = None,
    told: Callable[[], bool] = lambda: False,
) -> PullBack:
    """Choose between the trained map, mixtures of it, and what it is mixed with.

    The trained map, or the middle between it and the learned whitening that it started from, whichever is better on
    average, is preferred unless another choice is clearly ahead: few validation queries would otherwise choose among
    many by chance. What is preferred has to beat the baseline significantly (one-sided paired t-test over the
    validation queries, p < 0.05). Validation queries may be too few to show it; where all labels together say that
    learned whitening does, it is enough to be no worse on average than the baseline and learned whitening, which is
    taken otherwise. Else it is the best mixture if that beats the baseline significantly, else the baseline.

    Args:
        trained: float32 (d, M) each.
        data: training data, for the baselines.
        validation: queries that `trained` has not seen.
        whitened: float32 (d or more, M), of learned whitening, to be mixed with too; None: only baselines are.
        told: whether learned whitening is better than principal axes by all labels; asked only where it matters.
    """
    size = len(trained.corpus)
    basis = better_baseline(data, size)
    baseline = baseline_rows(basis, data, size)
    reference = _scores(validation, Sides.shared(baseline))
    scores = _mixture_scores(trained, basis, baseline, SHARES, data, validation)
    start = PullBack("learned_whitening", 0.0)
    if whitened is not None:
        shares = (*SHARES[1:], 0.0)
        scores |= _mixture_scores(trained, "learned_whitening", whitened[:size], shares, data, validation)
    best = max(scores, key=lambda choice: scores[choice].mean())
    usual = PullBack(basis, 1.0)
    middle = PullBack("learned_whitening", 0.5)
    if middle in scores and scores[middle].mean() > scores[usual].mean():
        usual = middle
    preferred = best if significantly_above(scores[best], scores[usual], PREFERENCE) else usual
    if significantly_above(scores[preferred], reference):
        return preferred
    if whitened is not None and told():
        no_worse = scores[preferred].mean() >= max(reference.mean(), scores[start].mean())
        return preferred if no_worse else start
    return best if significantly_above(scores[best], reference) else PullBack(basis, 0.0)


def _mixture_scores(
    trained: Maps,
    basis: StartName,
    untrained: NDArray[np.float32],
    shares: Sequence[float],
    data: TrainingData,
    validation: ValidationSet,
) -> dict[PullBack, NDArray[np.float64]]:
    """Score what `PullBack.apply` returns for each of `shares`, aligned once and mixed one after the other."""
    moved = aligned(trained, untrained, data.documents)
    return {
        PullBack(basis, share): _scores(validation, trained if share == 1.0 else _mixed(share, moved, untrained))
        for share in shares
    }


def _mixed(share: float, moved: Maps, baseline: NDArray[np.float32]) -> Maps:
    def mixed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return (share * rows + (1 - share) * baseline).astype(np.float32)

    return moved.each(mixed)


def _scores(validation: ValidationSet, weight: Maps) -> NDArray[np.float64]:
    device = validation.queries.device
    return validation.per_query(linear(weight.each(lambda rows: torch.from_numpy(rows).to(device))))[0]
