"""Training data with fewer labels: a random share of the labelled queries, as a user with few judgements has them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smec.training_data import TrainingData, chosen


def label_subset(data: TrainingData, share: float, seed: int) -> TrainingData:
    """Return the same documents with a share of the training and of the validation queries, at least one of each.

    Who has few labels has few to choose by as well, so both splits shrink. With one seed a smaller share is a subset of
    a larger one; the order of the queries stays.

    Args:
        data: with all labels.
        share: of each split, in (0, 1].
        seed: of the draw.
    """
    if share == 1:
        return data
    training = _drawn(len(data.queries), share, [seed, 0])
    validation = _drawn(len(data.validation_queries), share, [seed, 1])
    return replace(
        data,
        queries=chosen(data.queries, training, data.folder),
        positives=data.positives.take(training),
        hard_negatives=data.hard_negatives[training],
        excluded=_rows(data.excluded, training),
        validation_queries=chosen(data.validation_queries, validation, data.folder),
        validation=data.validation.take(validation),
        validation_negatives=data.validation_negatives[validation],
        validation_excluded=_rows(data.validation_excluded, validation),
    )


def _drawn(count: int, share: float, seed: list[int]) -> NDArray[np.int64]:
    kept = max(1, round(count * share))
    return np.sort(np.random.default_rng(seed).permutation(count)[:kept])


def _rows(values: NDArray[np.int64] | None, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    return None if values is None else values[rows]
