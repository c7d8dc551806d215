"""Choosing which dimensions to keep: adaptive dimension selection (ADS) and the rules that it is compared with."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SelectionName = Literal["ads", "truncation", "random", "variance", "contribution"]

COMMITTED_ENTROPY = 0.5
"""Normalised entropy of the selection above which it is said not to have committed."""


class AdaptiveSelection(nn.Module):
    """One importance per dimension, sampled with Gumbel noise and cut at the k largest (SMEC, ADS).

    `z = softmax(importance / T + G)`, G ~ Gumbel(0, 1). Forward, the mask has ones at the k largest entries of z and
    zeros elsewhere; backward, the gradient is that of `k z` (straight-through), so that dimensions outside the
    selection learn too. At T = 0 there is no noise: the mask is the hard top-k of the importance. Several k are cut
    from the same z, so that the smaller selections lie in the larger ones.

    The paper writes `softmax_T(importance + G)`. Read as `softmax((importance + G) / T)`, which `literal` does, the
    dimensions that are sampled do not depend on T at all, and no schedule can make the selection commit; here T weighs
    the noise.
    """

    def __init__(self, importance: Tensor, keeps: Sequence[int], literal: bool = False) -> None:
        """Start from `importance`, float (d,); select k of the d dimensions, for each k of `keeps`."""
        super().__init__()
        for keep in keeps:
            if not 1 <= keep <= len(importance):
                raise ValueError(f"cannot keep {keep} of {len(importance)} dimensions")
        self.importance = nn.Parameter(importance.clone())
        self.keeps = tuple(keeps)
        self.literal = literal

    def forward(self, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """Return a mask for each k, float (len(keeps), d), with k ones."""
        if temperature == 0:
            return self._hard(self.importance.detach())
        uniform = torch.rand(self.importance.shape, generator=generator, dtype=self.importance.dtype)
        noise = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7))).to(self.importance.device)
        noisy = (self.importance + noise) / temperature if self.literal else self.importance / temperature + noise
        z = torch.softmax(noisy, dim=0)
        soft = z * torch.tensor(self.keeps, dtype=z.dtype, device=z.device).unsqueeze(1)
        return self._hard(noisy.detach()) + soft - soft.detach()

    @torch.no_grad()
    def order(self) -> Tensor:
        """Return all dimensions, int64 (d,), most important first; equally important ones as they are."""
        return torch.argsort(self.importance, descending=True, stable=True)

    def _hard(self, values: Tensor) -> Tensor:
        place = torch.argsort(torch.argsort(values, descending=True, stable=True))
        return torch.stack([(place < keep).to(values.dtype) for keep in self.keeps])


def selection_entropy(
    importance: NDArray[np.floating], keep: int, temperature: float = 1.0, draws: int = 256, seed: int = 0
) -> float:
    """Return how undecided a selection is: 0 when noise never changes it, 1 when every dimension is a coin toss.

    The inclusion probability of each dimension is estimated over Gumbel draws of the top-k; the result is their mean
    binary entropy divided by that of a uniform choice of `keep` out of d.

    Args:
        importance: float (d,).
        keep: number of dimensions kept.
        temperature: T, of the noise; at 0 every selection is decided.
        draws: number of Gumbel draws.
        seed: of the draws.

    Returns:
        A number in [0, 1] up to sampling error.
    """
    width = len(importance)
    if keep >= width or temperature == 0:
        return 0.0
    noisy = importance / temperature + np.random.default_rng(seed).gumbel(size=(draws, width))
    kept = np.argpartition(-noisy, keep - 1, axis=1)[:, :keep]
    inclusion = np.bincount(kept.ravel(), minlength=width) / draws
    return float(_binary_entropy(inclusion).mean() / _binary_entropy(np.array([keep / width]))[0])


class Seen(Protocol):
    """What fixed rules look at, each being worked out when a rule asks for it."""

    @property
    def width(self) -> int:
        """d, the number of dimensions to choose from."""
        ...

    def variance(self) -> NDArray[np.float64]:
        """Return the variance of each dimension over the documents, float64 (d,)."""
        ...

    def contribution(self) -> NDArray[np.float64]:
        """Return what each dimension adds to the margin of relevant over hard negative documents, float64 (d,)."""
        ...


def fixed_selection(rule: SelectionName, keep: int, seen: Seen, seed: int) -> NDArray[np.int64]:
    """Choose dimensions by a rule that is not learned.

    - `truncation`: the first ones.
    - `random`: a random subset.
    - `variance`: those with the largest variance over the documents.
    - `contribution`: those that add most to the margin between a query's relevant and hard negative documents.

    Args:
        rule: name of the rule.
        keep: number of dimensions to keep.
        seen: what the rule looks at.
        seed: for `random`.

    Returns:
        int64 (keep,), most important dimension first.
    """
    importance: NDArray[np.float64]
    if rule == "truncation":
        importance = -np.arange(seen.width, dtype=np.float64)
    elif rule == "random":
        importance = np.random.default_rng(seed).random((seen.width,))
    elif rule == "variance":
        importance = seen.variance()
    elif rule == "contribution":
        importance = seen.contribution()
    else:
        raise ValueError(f"{rule!r} is not a fixed selection rule")
    return np.argsort(-importance, kind="stable")[:keep].astype(np.int64)


def _binary_entropy(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    entropy: NDArray[np.float64] = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
    return entropy
