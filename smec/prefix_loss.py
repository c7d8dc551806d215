"""SMEC's losses on prefixes of the vectors of a model that is itself trained, as a loss of sentence-transformers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from smec.batches import Batch
from smec.compressors.finetune import Options
from smec.cosines import level_cosines
from smec.losses import similarity_loss
from smec.objective import nearest_within, supervised_loss


class PrefixLoss(nn.Module):
    """`sum_m [L_sup(m) + alpha L_unsup(m)]` over the sizes m of a step (SMEC, total loss; prefixes as in MRL).

    L_unsup compares with the cosines of the frozen backbone. Its neighbours are those within the batch: the memory of
    S-XBM holds frozen features, and here there is no map that would bring them up to date.
    """

    def __init__(self, model: nn.Module, options: Options, sizes: Sequence[int], steps: int) -> None:
        """Prepare for one training.

        Args:
            model: a SentenceTransformer: features of texts to `sentence_embedding`, float (n, M).
            options: losses and their weights.
            sizes: numbers of dimensions, largest first.
            steps: of the whole training, which `levels: sequential` divides.
        """
        super().__init__()
        self.model = model
        self.options = options
        self.sampling = options.sampling()
        self.sizes = tuple(sizes)
        self.steps = steps
        self.step = 0

    def forward(self, sentence_features: Sequence[Mapping[str, Tensor]], labels: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of a batch, a scalar.

        Args:
            sentence_features: of the B queries and of the U documents.
            labels: the fields of a `Batch`: frozen `queries` (B, M) and `documents` (U, M), `relevance` (B, U), and
                `positive` (B,).
        """
        batch = Batch(**labels)
        queries, documents = (self._encoded(features) for features in sentence_features)
        levels = self.levels()
        self.step += 1
        total = supervised_loss(queries, documents, batch, self.sampling, levels)
        if self.options.alpha == 0:
            return total
        return total + self.options.alpha * self._similarity(batch, queries, documents, levels)

    def levels(self) -> tuple[int, ...]:
        """Return the sizes whose losses the next step has."""
        pairs = len(self.sizes) - 1
        if self.options.levels == "parallel" or pairs < 1:
            return self.sizes
        pair = min(pairs - 1, self.step * pairs // self.steps)
        return self.sizes[pair : pair + 2]

    def _encoded(self, features: Mapping[str, Any]) -> Tensor:
        # Losses are taken in float32, whatever the precision of the forward pass.
        return torch.as_tensor(self.model(dict(features))["sentence_embedding"]).float()

    def _similarity(self, batch: Batch, queries: Tensor, documents: Tensor, levels: Sequence[int]) -> Tensor:
        frozen = torch.cat([batch.queries, batch.documents[batch.positive]])
        outputs = torch.cat([queries, documents[batch.positive]])
        place, cosine = nearest_within(frozen, self.options.neighbours)
        compressed = level_cosines(outputs, outputs, levels, place)
        return similarity_loss(cosine, compressed).sum()
