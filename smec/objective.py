"""The loss of one batch of linear maps at several sizes: a supervised loss plus S-XBM's similarity loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from smec.batches import Batch
from smec.cosines import Level, level_cosines
from smec.counted_pairs import counted_cosines, without_ignored
from smec.losses import SUPERVISED_LOSSES, distillation_loss, similarity_loss
from smec.memory import Neighbours, SelectiveMemory, hide_own_side
from smec.options import SimilarityOptions, SupervisedOptions
from smec.side_maps import outputs_of
from smec.sides import CORPUS, QUERY, Sides


def supervised_loss(
    queries: Tensor, documents: Tensor, batch: Batch, options: SupervisedOptions, levels: Sequence[Level] | None = None
) -> Tensor:
    """Return the supervised loss of outputs (B, d) and (U, d), of any length, added up over `levels`.

    None is the one level of all d dimensions.
    """
    scores, relevance = counted_cosines(queries, documents, batch.relevance, levels or [queries.shape[1]])
    return _of_scores(scores, relevance, options)


def _of_scores(scores: Tensor, relevance: Tensor, options: SupervisedOptions) -> Tensor:
    scale = options.margin if options.loss == "hinge" else options.temperature
    return SUPERVISED_LOSSES[options.loss](scores, relevance, scale).sum()


class MatryoshkaObjective:
    """`sum_m [L_sup(m) + alpha L_unsup(m)]` over sizes m (SMEC, total loss).

    Neighbours are searched in the frozen space; batch and neighbours both pass through the current map of their side.
    Where a batch has a teacher's cosines, `distillation` times the divergence of each query's similarities from them is
    added.
    """

    def __init__(self, options: SimilarityOptions, width: int, device: torch.device) -> None:
        """Prepare for vectors of `width` dimensions.

        Args:
            options: losses and their weights; a memory of size 0 lets the batch serve as its own memory.
            width: M, of the backbone.
            device: where training runs.
        """
        self.options = options
        wanted = options.alpha > 0 and options.memory_size > 0
        self.memory = SelectiveMemory(options.memory_size, width).to(device) if wanted else None

    def __call__(self, batch: Batch, weight: Sides[Tensor], levels: Sequence[Level]) -> Tensor:
        """Return the loss.

        Args:
            batch: frozen vectors.
            weight: float (d, M), the map of each side.
            levels: for each size a float (d,) factor per output dimension, or the number of leading dimensions.
        """
        queries, documents = batch.queries @ weight.queries.T, batch.documents @ weight.corpus.T
        if batch.taught is None:
            total = supervised_loss(queries, documents, batch, self.options, levels)
        else:
            scores = level_cosines(queries, documents, levels)
            divergence = distillation_loss(batch.taught, scores, self.options.distillation_temperature)
            total = _of_scores(*without_ignored(scores, batch.relevance), self.options)
            total = total + self.options.distillation * divergence.sum()
        if self.options.alpha == 0:
            return total
        return total + self.options.alpha * self.similarity(batch, weight, queries, documents, levels)

    def similarity(
        self, batch: Batch, weight: Sides[Tensor], queries: Tensor, documents: Tensor, levels: Sequence[Level]
    ) -> Tensor:
        """Return `sum_m L_unsup(m)` over the neighbours that the memory serves, and then remember the batch.

        Args:
            batch: frozen vectors.
            weight: float (d, M), the map of each side.
            queries: float (B, d), its outputs of the queries.
            documents: float (U, d), its outputs of the documents.
            levels: as above.
        """
        frozen = torch.cat([batch.queries, batch.documents[batch.positive]])
        outputs = torch.cat([queries, documents[batch.positive]])
        sides = torch.full((len(frozen),), QUERY, dtype=torch.int8, device=frozen.device)
        sides[len(queries) :] = CORPUS
        found = self._neighbours(frozen, sides)
        if found.place.shape[1] == 0:
            return outputs.new_zeros(())
        compressed = level_cosines(outputs, outputs_of(found.vectors, found.sides, weight), levels, found.place)
        return similarity_loss(found.cosine, compressed).sum()

    def _neighbours(self, frozen: Tensor, sides: Tensor) -> Neighbours:
        apart = sides if self.options.memory_sides == "other" else None
        if self.memory is None:
            return Neighbours(frozen, *nearest_within(frozen, self.options.neighbours, apart), sides)
        found = self.memory.nearest(frozen, self.options.neighbours, apart)
        self.memory.enqueue(frozen, sides)
        return found


def nearest_within(frozen: Tensor, neighbours: int, sides: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the neighbours of each row of a batch (B, M) among its other rows: places and cosines, each (B, K).

    Args:
        frozen: float (B, M), unit length.
        neighbours: K, cut to the number of rows that each may have.
        sides: int8 (B,), the side of each row, which then only has neighbours of the other side; None: any.
    """
    scores = (frozen @ frozen.T).fill_diagonal_(-torch.inf)
    if sides is not None:
        neighbours = hide_own_side(scores, sides, sides, neighbours)
    cosine, place = scores.topk(min(neighbours, len(frozen) - 1), dim=1)
    return place, cosine
