"""Whether labels say anything that untrained maps do not know, asked of all of them.

A few dozen validation queries seldom prove that a trained map is better than an untrained one, even where it is.
Learned whitening is closed form, so it can be fitted some times over, each time without the queries that then judge it:
every labelled query counts, not one in ten.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from smec.judgements import Judgements
from smec.learned_whitening import judged_sizes, learned_whitening
from smec.sides import Sides
from smec.statistics import significantly_above
from smec.training_data import TrainingData
from smec.validation import ValidationSet, linear

FOLDS = 3
LEVEL = 0.16
"""p below which labels tell something: one standard error, where they are many."""

MOST_DOCUMENTS = 20_000
"""Documents that are searched, besides the relevant ones, where queries are documents too."""

SHRINKAGE = 1.0
"""Strong enough for some ten labels; which one is best is of no weight here."""


def labels_tell(data: TrainingData, most: int, device: torch.device) -> bool:
    """Return whether learned whitening is clearly above principal axes on queries that it was not fitted on.

    One-sided paired t-test, p < 0.16, on the mean nDCG@10 of the sizes that learned whitening itself is chosen at.
    Where queries are documents themselves, such as photos of a class, those that are joined by documents are asked in
    the same fold, because they would give each other's answer away, and count as one, because what one finds the other
    mostly does. They are then asked among documents that no fitted query has or is: what is fitted is shortened along
    its own differences, and what is not would be found before it whatever the labels say.

    Args:
        data: training and validation queries.
        most: labelled queries that are used at most, drawn at random.
        device: where the scores are computed.
    """
    labelled = data.labelled_sample(most)
    judged, excluded = labelled.validation, labelled.validation_excluded
    are_documents = excluded is not None and bool((excluded >= 0).any())
    group = groups_of(judged, excluded, len(data.documents)) if are_documents else np.arange(len(judged))
    if group.max(initial=-1) + 1 < 2 * FOLDS:
        return False
    found = np.zeros((2, len(group)))
    for fold in range(FOLDS):
        asked, others = np.flatnonzero(group % FOLDS == fold), np.flatnonzero(group % FOLDS != fold)
        part = replace(
            labelled,
            queries=labelled.validation_queries[others],
            positives=judged.take(others).compact(),
            validation_queries=labelled.validation_queries[asked],
            validation=judged.take(asked).compact(),
            validation_excluded=None if excluded is None else excluded[asked],
        )
        left_out = np.empty(0, dtype=np.int64)
        if excluded is not None and are_documents:
            left_out = np.concatenate([part.positives.corpus_rows, excluded[others]])
        found[:, asked] = _scores(part, data.axes, left_out, device)
    learned, untrained = (np.bincount(group, scores) / np.bincount(group) for scores in found)
    return significantly_above(learned, untrained, LEVEL)


def _scores(
    part: TrainingData, axes: NDArray[np.float32], left_out: NDArray[np.int64], device: torch.device
) -> NDArray[np.float64]:
    """Return nDCG@10 of learned whitening and of principal `axes`, float64 (2, v), mean over the judged sizes.

    A function of its own, so that at 3,584 dimensions the maps of one fold are gone before the next one's are made.
    """
    fitted, sizes = learned_whitening(part, SHRINKAGE), judged_sizes(part.width)
    validation = ValidationSet(_without_documents(part, left_out) if len(left_out) else part, device)
    weights = (Sides.shared(torch.from_numpy(rows[: sizes[0]]).to(device)) for rows in (fitted, axes))
    return np.array([np.mean(validation.per_query(linear(weight), sizes), axis=0) for weight in weights])


def _without_documents(data: TrainingData, left_out: NDArray[np.int64]) -> TrainingData:
    """Return the data to validate on documents other than `left_out`, int64 (k,), -1 for none, and not too many."""
    judged, excluded = data.validation, data.validation_excluded
    assert excluded is not None
    free = np.ones(len(data.documents), dtype=bool)
    free[left_out[left_out >= 0]] = False
    rows = np.random.default_rng(0).permutation(np.flatnonzero(free))[:MOST_DOCUMENTS]
    rows = np.union1d(rows, judged.corpus_rows)
    place = np.full(len(free), -1)
    place[rows] = np.arange(len(rows))

    def placed(documents: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(documents < 0, -1, place[documents])

    own = None if judged.own is None else placed(judged.own)
    return replace(
        data,
        documents=data.documents[rows],
        validation=replace(judged, corpus_rows=place[judged.corpus_rows], own=own),
        validation_excluded=placed(excluded),
    )


def groups_of(judged: Judgements, excluded: NDArray[np.int64] | None, documents: int) -> NDArray[np.int64]:
    """Return the group of each query, int64 (n,) from 0: queries that are joined by documents are in one group.

    Args:
        judged: what is relevant to the n queries.
        excluded: int64 (n,), the document that each query is itself, -1 for none; None: none at all.
        documents: rows of the corpus.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    runs = len(judged.offsets) - 1
    owner, found = np.repeat(np.arange(runs), np.diff(judged.offsets)), judged.corpus_rows
    if excluded is not None:
        known = excluded >= 0
        owner, found = np.concatenate([owner, judged.runs[known]]), np.concatenate([found, excluded[known]])
    nodes = runs + documents
    graph = coo_array((np.ones(len(owner), dtype=np.int8), (owner, runs + found)), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1][judged.runs]
    group: NDArray[np.int64] = np.unique(component, return_inverse=True)[1].astype(np.int64)
    return group
