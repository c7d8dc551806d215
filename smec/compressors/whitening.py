"""PCA whitening: principal components scaled towards equal variance (Su et al. 2021, arXiv 2103.15316)."""

import numpy as np
from pydantic import Field

from smec.basis import principal_axes
from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class Options(Settings):
    """Options of whitening."""

    power: float = Field(
        1.0, ge=0, le=1, description="1 whitens fully, 0 is PCA: axes are divided by their deviation to this power."
    )
    center: bool = Field(True, description="Subtract the mean, as whitening is defined.")


class Whitening(Method):
    """Projects on the principal axes and divides by the standard deviation along each."""

    name = "whitening"
    schedule = "joint"
    seeded = False
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Return the scaled principal axes of the documents; axes without variance are left out of the scaling."""
        axes, variances, mean = principal_axes(job.data.documents, job.options.center)
        floor = variances.max() * np.finfo(np.float32).eps
        scale = np.where(variances > floor, np.maximum(variances, floor) ** (-0.5 * job.options.power), 0.0)
        rows = (axes * scale[:, None])[: max(job.sizes)].astype(np.float32)
        tensors = {"weight": rows, "weight_bias": (-rows @ mean).astype(np.float32)}
        return Fitted(Stage(self.name, tensors, {size: "weight" for size in job.sizes}))


METHOD = Whitening()
