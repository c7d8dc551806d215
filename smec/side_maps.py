"""Linear maps of queries and documents while they are trained."""

import torch
from torch import Tensor, nn

from smec.sides import CORPUS, QUERY, Sides


class SideMaps(nn.Module):
    """The map of each side, one parameter where both sides share it."""

    def __init__(self, start: Sides[Tensor], learns: bool = True) -> None:
        """Start from copies of `start`, float (d, M) each; a map that does not learn stays there."""
        super().__init__()
        self.queries = nn.Parameter(start.queries.clone(), requires_grad=learns)
        self.corpus = self.queries if start.are_one else nn.Parameter(start.corpus.clone(), requires_grad=learns)

    def forward(self) -> Sides[Tensor]:
        """Return the maps, float (d, M) each."""
        return Sides(self.queries, self.corpus)


def outputs_of(vectors: Tensor, sides: Tensor, weight: Sides[Tensor]) -> Tensor:
    """Return the output of each vector by the map of its side.

    Args:
        vectors: float (n, M), of both sides.
        sides: int8 (n,), `QUERY` or `CORPUS`.
        weight: float (d, M) each.

    Returns:
        float (n, d).
    """
    if weight.are_one:
        return vectors @ weight.queries.T
    rows = [(sides == side).nonzero().flatten() for side in (QUERY, CORPUS)]
    outputs = torch.cat([vectors[of] @ map_.T for of, map_ in zip(rows, (weight.queries, weight.corpus), strict=True)])
    return outputs[torch.cat(rows).argsort()]
