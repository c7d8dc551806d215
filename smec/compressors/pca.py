"""Principal components of the training documents, the usual unsupervised baseline."""

import numpy as np
from pydantic import Field

from smec.basis import principal_axes
from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class Options(Settings):
    """Options of PCA."""

    center: bool = Field(False, description="Subtract the mean; without, cosines at full width stay as they are.")


class Pca(Method):
    """Projects on the strongest principal axes."""

    name = "pca"
    schedule = "joint"
    seeded = False
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Return the leading principal axes of the documents."""
        axes, _, mean = principal_axes(job.data.documents, job.options.center)
        rows = axes[: max(job.sizes)]
        tensors = {"weight": rows, "weight_bias": (-rows @ mean).astype(np.float32)}
        return Fitted(Stage(self.name, tensors, {size: "weight" for size in job.sizes}))


METHOD = Pca()
