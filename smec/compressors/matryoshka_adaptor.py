"""Matryoshka-Adaptor as published: a residual MLP, first unsupervised, then supervised (arXiv 2407.20243)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smec.errors import SmecError
from smec.linear import truncated
from smec.method import Compressor, FitJob, Fitted, Method, Stage
from smec.options import CostView, SupervisedOptions
from smec.sides import Sides


class Options(SupervisedOptions):
    """`L_topk + L_pair + L_rec`, then the same plus `L_rank`, each summed over all sizes; all weights are 1."""

    contrast: Literal["own", "batch"] = Field("batch", description="L_rank has all documents of the batch.")
    random_negatives: int = Field(0, ge=0, description="Random documents in each step.")
    hidden: int = Field(384, ge=1, description="Width of the hidden layer.")
    unsupervised_share: float = Field(
        0.25, ge=0, le=1, description="Share of the steps that are spent on the unsupervised phase."
    )
    supervised_weight: float = Field(1.0, ge=0, description="Weight of L_rank in the supervised phase.")
    neighbours: int = Field(10, ge=1, description="Nearest neighbours of each vector within the batch, in L_topk.")
    cost: CostView = Field(
        "total",
        description="`total`: as many epochs as a chain spends on all its stages; `per_size`: as many as on one stage.",
    )


@dataclass(frozen=True)
class ResidualMlp:
    """`normalize((x + f(x))[:size])` with f one hidden layer of rectified units.

    Attributes:
        hidden_weight: float32 (H, M).
        hidden_bias: float32 (H,).
        output_weight: float32 (M, H).
        output_bias: float32 (M,).
        sizes: the sizes it was fitted for, largest first.
    """

    hidden_weight: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output_weight: NDArray[np.float32]
    output_bias: NDArray[np.float32]
    sizes: tuple[int, ...]

    def transform(self, vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Compress unit vectors, float32 (n, M), to unit vectors, float32 (n, size).

        Raises:
            SmecError: the compressor was not fitted for `size`, or the vectors have another width.
        """
        if size not in self.sizes:
            raise SmecError(f"This compressor was not fitted for {size} dimensions; it has {list(self.sizes)}.")
        if vectors.shape[1] != self.hidden_weight.shape[1]:
            raise SmecError(
                f"The vectors have {vectors.shape[1]} dimensions and the compressor reads "
                f"{self.hidden_weight.shape[1]}: it was fitted on another backbone."
            )
        hidden = np.maximum(vectors @ self.hidden_weight.T + self.hidden_bias, 0)
        return truncated(vectors + hidden @ self.output_weight.T + self.output_bias, size)


class MatryoshkaAdaptor(Method):
    """One residual MLP whose output is truncated to every size."""

    name = "matryoshka_adaptor"
    schedule = "joint"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Train both phases."""
        from smec.matryoshka_adaptor import fit_adapter

        tensors, record = fit_adapter(job)
        return Fitted(Stage(self.name, tensors, {size: "output_weight" for size in job.sizes}), record)

    def compressors(self, stages: Sequence[Stage]) -> Sides[Compressor]:
        """Return the MLP of the only stage."""
        (stage,) = stages
        return Sides.shared(ResidualMlp(**stage.tensors, sizes=tuple(sorted(stage.outputs, reverse=True))))


METHOD = MatryoshkaAdaptor()
