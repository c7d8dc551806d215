"""The loss of one batch of a linear map at several sizes: a supervised loss plus S-XBM's similarity loss."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from smec.batches import Batch
from smec.losses import SUPERVISED_LOSSES, distillation_loss, similarity_loss
from smec.memory import SelectiveMemory
from smec.options import SimilarityOptions, SupervisedOptions


def cosines(queries: Tensor, documents: Tensor) -> Tensor:
    """Return the cosine of each query (B, d) with each document (U, d): float (B, U)."""
    return functional.normalize(queries) @ functional.normalize(documents).T


def supervised_loss(queries: Tensor, documents: Tensor, batch: Batch, options: SupervisedOptions) -> Tensor:
    """Return the supervised loss of outputs (B, d) and (U, d), before they are brought to unit length."""
    loss = SUPERVISED_LOSSES[options.loss]
    return loss(cosines(queries, documents), batch.relevance, options.temperature)


class MatryoshkaObjective:
    """`sum_m [L_sup(m) + alpha L_unsup(m)]` over sizes m given as masks on the output dimensions (SMEC, total loss).

    Neighbours are searched in the frozen space; batch and neighbours both pass through the current map. With a
    teacher, `distillation` times the divergence of each query's similarities from the teacher's is added.
    """

    def __init__(
        self, options: SimilarityOptions, width: int, device: torch.device, teacher: Tensor | None = None
    ) -> None:
        """Prepare for vectors of `width` dimensions.

        Args:
            options: losses and their weights; a memory of size 0 lets the batch serve as its own memory.
            width: M, of the backbone.
            device: where training runs.
            teacher: float (d, M), the map whose similarities are distilled.
        """
        self.options = options
        self.teacher = teacher
        wanted = options.alpha > 0 and options.memory_size > 0
        self.memory = SelectiveMemory(options.memory_size, width).to(device) if wanted else None

    def __call__(self, batch: Batch, weight: Tensor, masks: Sequence[Tensor | None]) -> Tensor:
        """Return the loss.

        Args:
            batch: frozen vectors.
            weight: float (d, M), the map.
            masks: for each size a float (d,) factor per output dimension, or None for all of them.
        """
        queries, documents = batch.queries @ weight.T, batch.documents @ weight.T
        levels = [(_kept(queries, mask), _kept(documents, mask)) for mask in masks]
        total = torch.stack([supervised_loss(q, d, batch, self.options) for q, d in levels]).sum()
        if self.teacher is not None:
            total = total + self.options.distillation * self._distillation(batch, self.teacher, levels)
        if self.options.alpha == 0:
            return total
        return total + self.options.alpha * self._similarity(batch, weight, queries, documents, masks)

    def _distillation(self, batch: Batch, teacher: Tensor, levels: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        temperature = self.options.distillation_temperature
        with torch.no_grad():
            taught = cosines(batch.queries @ teacher.T, batch.documents @ teacher.T)
        return torch.stack([distillation_loss(taught, cosines(q, d), temperature) for q, d in levels]).sum()

    def _similarity(
        self, batch: Batch, weight: Tensor, queries: Tensor, documents: Tensor, masks: Sequence[Tensor | None]
    ) -> Tensor:
        frozen = torch.cat([batch.queries, batch.documents[batch.positive]])
        outputs = torch.cat([queries, documents[batch.positive]])
        if self.memory is None:
            retrieved, place, cosine = _within(frozen, self.options.neighbours)
        else:
            retrieved, place, cosine = self.memory.nearest(frozen, self.options.neighbours)
            self.memory.enqueue(frozen)
        if place.shape[1] == 0:
            return outputs.new_zeros(())
        neighbours = retrieved @ weight.T
        losses = []
        for mask in masks:
            compressed = cosines(_kept(outputs, mask), _kept(neighbours, mask)).gather(1, place)
            losses.append(similarity_loss(cosine, compressed))
        return torch.stack(losses).sum()


def _kept(outputs: Tensor, mask: Tensor | None) -> Tensor:
    return outputs if mask is None else outputs * mask


def _within(frozen: Tensor, neighbours: int) -> tuple[Tensor, Tensor, Tensor]:
    """Neighbours of each row among the other rows, in the form of `SelectiveMemory.nearest`."""
    scores = (frozen @ frozen.T).fill_diagonal_(-torch.inf)
    cosine, place = scores.topk(min(neighbours, len(frozen) - 1), dim=1)
    return frozen, place, cosine
