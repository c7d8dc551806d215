"""Parallel Matryoshka learning: one map, the losses of all sizes at once (the paper's MRL baseline)."""

from typing import Literal

from pydantic import Field

from smec.method import FitJob, Fitted, Method, Stage
from smec.options import CostView, MapOptions
from smec.sides import named_tensors


class Options(MapOptions):
    """The same loss and start as `smec`; its selection and memory can be added, its stages cannot."""

    selection: Literal["truncation", "ads"] = Field(
        "truncation",
        description="Dimensions that a size is made of: the first ones, or the most important ones of one importance "
        "vector, so that smaller sizes lie in larger ones.",
    )

    memory_size: int = Field(0, ge=0, description="Frozen vectors that S-XBM holds; 0: the batch itself serves.")
    cost: CostView = Field(
        "total",
        description="`total`: as many epochs as a chain spends on all its stages; `per_size`: as many as on one stage.",
    )


class Mrl(Method):
    """One linear map, or one per side, whose first rows give every size (Kusupati et al. 2022, arXiv 2205.13147)."""

    name = "mrl"
    schedule = "joint"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Train one map with the sum of the losses over all sizes."""
        from smec.joint import fit_linear_map

        rows = job.data.basis(job.options.basis, job.options.shrinkage)[: max(job.sizes)]
        weight, record = fit_linear_map(job, rows, job.sizes, total_epochs(job))
        return Fitted(Stage(self.name, named_tensors("weight", weight), {size: "weight" for size in job.sizes}), record)


def total_epochs(job: FitJob) -> int:
    """Return the epochs of a fit that serves all sizes at once, by the cost view that the options ask for."""
    stages = sum(size < job.data.width for size in job.sizes)
    epochs: int = job.options.epochs
    return epochs * max(1, stages) if job.options.cost == "total" else epochs


METHOD = Mrl()
