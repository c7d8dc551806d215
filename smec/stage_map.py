"""The trainable part of an SMRL stage: a map of each side, and one choice among their rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smec.ads import adaptive_selection
from smec.errors import SmecError
from smec.linear import normalized
from smec.memory import SelectiveMemory
from smec.options import SmrlOptions
from smec.row_blocks import column_mean, column_variance, row_blocks, taken, through
from smec.selection import AdaptiveSelection, fixed_selection
from smec.side_maps import SideMaps
from smec.sides import Sides, combined
from smec.training_data import TrainingData


class StageMap(nn.Module):
    """The map of one stage and the choice among its rows.

    Where queries and documents have a map each, the choice is still one: a product of two outputs needs the same
    dimensions of both.
    """

    fixed_mask: Tensor | None
    memory: SelectiveMemory | None

    def __init__(
        self, layer: Sides[Tensor], below: Sides[Tensor] | None, selection: AdaptiveSelection | Tensor
    ) -> None:
        """Train `layer`, float (d, M) each; or float (d, d) on top of the frozen `below`, float (d, M) each.

        Args:
            layer: the start.
            below: what lies under a stacked layer, None where the layer reads the frozen vectors.
            selection: learned, or a fixed mask, float (d,).
        """
        super().__init__()
        self.layer = SideMaps(layer)
        self.below = None if below is None else SideMaps(below, learns=False)
        self.memory = None  # set to the memory of the objective, which is part of the state of a checkpoint
        self.adaptive = selection if isinstance(selection, AdaptiveSelection) else None
        self.register_buffer("fixed_mask", None if isinstance(selection, AdaptiveSelection) else selection)

    def weight(self) -> Sides[Tensor]:
        """Return the map of each side that reads the frozen vectors, float (d, M)."""
        layer: Sides[Tensor] = self.layer()
        return layer if self.below is None else combined(torch.matmul, layer, self.below())

    def mask(self, temperature: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Return the factor of each row, float (d,)."""
        if self.adaptive is not None:
            (mask,) = self.adaptive(temperature, generator)
            return torch.as_tensor(mask)
        assert self.fixed_mask is not None
        return self.fixed_mask

    @torch.no_grad()
    def kept_rows(self) -> Tensor:
        """Return the selected rows, int64 (k,), ascending, so that an order of the rows survives a stage."""
        return self.mask().nonzero().flatten()


def build_stage_map(
    options: SmrlOptions, data: TrainingData, rows: Sides[NDArray[np.float32]], keep: int, seed: int
) -> StageMap:
    """Return the map of a stage as it stands before training.

    Args:
        options: `projection` and `selection` matter here.
        data: what fixed selection rules look at.
        rows: float32 (d, M) each, where the stage starts.
        keep: how many of the d rows are selected.
        seed: of a random selection.

    Raises:
        SmecError: the rule is `contribution` and no negative was mined.
    """
    stacked = options.projection == "stacked"
    start = rows.each(torch.from_numpy)
    layer, below = (start.each(lambda map_: torch.eye(len(map_))), start) if stacked else (start, None)
    if options.selection == "ads":
        return StageMap(layer, below, adaptive_selection(options, data, rows.corpus, (keep,)))
    if options.selection == "contribution" and not (data.hard_negatives >= 0).any():
        raise SmecError(
            "The selection `contribution` needs mined negatives, and there are none. Set `mined_negatives` above 0, or "
            "choose another selection."
        )
    chosen = fixed_selection(options.selection, keep, Outputs(data, rows), seed)
    return StageMap(layer, below, torch.zeros(len(rows.corpus)).index_fill(0, torch.from_numpy(chosen), 1.0))


@dataclass(frozen=True)
class Outputs:
    """What fixed rules of selection look at: outputs at unit length of training data under maps, float32 (d, M)."""

    data: TrainingData
    rows: Sides[NDArray[np.float32]]

    @property
    def width(self) -> int:
        """d, the number of outputs."""
        return len(self.rows.corpus)

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """The queries that have a mined negative, int64 (P,)."""
        return np.flatnonzero((self.data.hard_negatives[:, :1] >= 0).any(axis=1))

    def variance(self) -> NDArray[np.float64]:
        """Return the variance of each output over the documents, float64 (d,)."""
        return column_variance(_outputs(row_blocks(self.data.documents), self.rows.corpus))

    def contribution(self) -> NDArray[np.float64]:
        """Return what each output adds to the margin, float64 (d,), mean over `pairs`, of which there must be one.

        The margin lies between a query's first relevant document and its hardest negative.
        """
        data, pairs = self.data, self.pairs
        relevant, mined = data.positives.first()[pairs], data.hard_negatives[pairs, 0]
        blocks = zip(
            _outputs(taken(data.queries, pairs), self.rows.queries),
            _outputs(taken(data.documents, relevant), self.rows.corpus),
            _outputs(taken(data.documents, mined), self.rows.corpus),
            strict=True,
        )
        return column_mean(query * (positive - negative) for query, positive, negative in blocks)


def _outputs(blocks: Iterable[NDArray[np.float32]], rows: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return map(normalized, through(blocks, rows))
