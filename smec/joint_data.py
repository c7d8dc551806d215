"""Training data of several datasets at once, for one compressor that serves them all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smec.judgements import Judgements
from smec.scratch import Room
from smec.training_data import TrainingData, concatenated


def join(parts: Sequence[TrainingData], room: Room | None = None) -> TrainingData:
    """Return one set with the documents and queries of all parts, in their order.

    Hard negatives and relevant documents stay those of a query's own dataset. Random negatives, validation and the
    principal axes see the documents of all.

    Args:
        parts: with vectors of one backbone.
        room: where the vectors are put; None means in memory.
    """
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.documents) for part in parts[:-1])])
    folder = (room or Room()).folder_for(sum(part.nbytes for part in parts))
    return TrainingData(
        queries=concatenated([part.queries for part in parts], folder),
        documents=concatenated([part.documents for part in parts], folder),
        positives=Judgements.joined([part.positives for part in parts], starts.tolist()),
        hard_negatives=_stacked([part.hard_negatives for part in parts], starts),
        validation_queries=concatenated([part.validation_queries for part in parts], folder),
        validation=Judgements.joined([part.validation for part in parts], starts.tolist()),
        validation_negatives=_stacked([part.validation_negatives for part in parts], starts),
        excluded=_excluded([(part.excluded, len(part.queries)) for part in parts], starts),
        validation_excluded=_excluded([(p.validation_excluded, len(p.validation_queries)) for p in parts], starts),
        folder=folder,
    )


def _stacked(parts: Sequence[NDArray[np.int64]], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stack lists of rows (n, H) that may differ in H; -1 stays -1."""
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-1) for part in parts]
    return np.concatenate([_shifted(part, int(start)) for part, start in zip(padded, starts, strict=True)])


def _excluded(
    parts: Sequence[tuple[NDArray[np.int64] | None, int]], starts: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    if all(rows is None for rows, _ in parts):
        return None
    filled = [np.full(count, -1) if rows is None else rows for rows, count in parts]
    return np.concatenate([_shifted(rows, int(start)) for rows, start in zip(filled, starts, strict=True)])


def _shifted(rows: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    return np.where(rows >= 0, rows + by, -1)
