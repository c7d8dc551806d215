"""Whether labels say anything that untrained maps do not know, asked of all of them.

A few dozen validation queries seldom prove that a trained map is better than an untrained one, even where it is.
Learned whitening is closed form, so it can be fitted some times over, each time without the queries that then judge it:
every labelled query counts, not one in ten.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from smec.learned_whitening import judged_sizes, learned_whitening
from smec.sides import Sides
from smec.statistics import significantly_above
from smec.training_data import TrainingData
from smec.validation import ValidationSet, linear

FOLDS = 3
SHRINKAGE = 1.0
"""Strong enough for some ten labels; which one is best is of no weight here."""


def labels_tell(data: TrainingData, most: int) -> bool:
    """Return whether learned whitening is significantly above principal axes on queries that it was not fitted on.

    One-sided paired t-test, p < 0.05, on the mean nDCG@10 of the sizes that learned whitening itself is chosen at.

    Args:
        data: training and validation queries.
        most: labelled queries that are used at most.
    """
    labelled = data.labelled_sample(most)
    queries, judged, excluded = labelled.validation_queries, labelled.validation, labelled.validation_excluded
    if len(queries) < 2 * FOLDS:
        return False
    learned: list[NDArray[np.float64]] = []
    untrained: list[NDArray[np.float64]] = []
    for fold in range(FOLDS):
        asked = np.arange(fold, len(queries), FOLDS)
        others = np.setdiff1d(np.arange(len(queries)), asked)
        part = replace(
            labelled,
            queries=queries[others],
            positives=judged.take(others),
            validation_queries=queries[asked],
            validation=judged.take(asked),
            validation_excluded=None if excluded is None else excluded[asked],
        )
        validation = ValidationSet(part, torch.device("cpu"))
        for scores, rows in ((learned, learned_whitening(part, SHRINKAGE)), (untrained, data.axes)):
            by_size = validation.per_query(linear(Sides.shared(torch.from_numpy(rows))), judged_sizes(data.width))
            scores.append(np.mean(by_size, axis=0))
    return significantly_above(np.concatenate(learned), np.concatenate(untrained))
