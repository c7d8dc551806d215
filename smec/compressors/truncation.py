"""Truncation: the first dimensions, as Matryoshka-trained backbones are shortened. At full width: no compression."""

import numpy as np

from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class Options(Settings):
    """Truncation has no options."""


class Truncation(Method):
    """Keeps the first dimensions."""

    name = "truncation"
    schedule = "joint"
    seeded = False
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Return the leading rows of the identity."""
        largest = max(job.sizes)
        rows = np.eye(largest, job.data.width, dtype=np.float32)
        return Fitted(Stage(self.name, {"weight": rows}, {size: "weight" for size in job.sizes}))


METHOD = Truncation()
