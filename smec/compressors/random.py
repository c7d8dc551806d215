"""Random selection of dimensions (random truncation, arXiv 2508.17744)."""

import numpy as np

from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class Options(Settings):
    """Random selection has no options."""


class RandomSelection(Method):
    """Keeps a random subset of the dimensions; smaller subsets lie in larger ones."""

    name = "random"
    schedule = "joint"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Return randomly chosen rows of the identity."""
        kept = np.random.default_rng(job.seed).permutation(job.data.width)[: max(job.sizes)]
        rows = np.eye(job.data.width, dtype=np.float32)[kept]
        return Fitted(Stage(self.name, {"weight": rows}, {size: "weight" for size in job.sizes}))


METHOD = RandomSelection()
