"""DIVE: a residual adapter with a hinge triplet loss and a head-wise contrastive loss (arXiv 2605.20689).

Only the abstract was at hand. It says: triplets whose gradient vanishes once a margin is met, and NT-Xent between
several learned projections of one embedding. The rest is our choice; `smec.dive` says what.
"""

from pydantic import Field

from smec.compressors.mrl import total_epochs
from smec.method import FitJob, Fitted, Method, Stage
from smec.options import CostView, LossChoice, SupervisedOptions


class Options(SupervisedOptions):
    """`L_hinge + weight L_NT-Xent`, summed over all sizes; margin, temperature and weight are a third party's."""

    loss: LossChoice = Field("hinge", description="Supervised loss.")
    head_weight: float = Field(0.5, ge=0, description="Weight of the contrastive loss between heads.")
    head_temperature: float = Field(0.07, gt=0, description="Divides the cosines in the contrastive loss.")
    heads: int = Field(4, ge=2, description="Learned projections of an output; each is a view of it.")
    head_size: int = Field(64, ge=1, description="Dimensions of a view.")
    cost: CostView = Field(
        "total",
        description="`total`: as many epochs as a chain spends on all its stages; `per_size`: as many as on one stage.",
    )


class Dive(Method):
    """One linear map whose first rows give every size; the heads on top of it serve training alone."""

    name = "dive"
    schedule = "joint"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Train the map and its heads with the losses of all sizes."""
        from smec.dive import fit_adapter

        rows = job.data.basis(job.options.basis, job.options.shrinkage)[: max(job.sizes)]
        weight, history = fit_adapter(job, rows, total_epochs(job))
        stage = Stage(self.name, {"weight": weight}, {size: "weight" for size in job.sizes})
        return Fitted(stage, history.record() | {"warnings": history.warnings()})


METHOD = Dive()
