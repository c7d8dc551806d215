"""Learned whitening, in closed form: what labels give before anything is trained step by step."""

from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class LearnedWhitening(Method):
    """Whitens the differences of relevant pairs, then keeps the principal axes (Mikolajczyk and Matas 2007)."""

    name = "learned_whitening"
    schedule = "joint"
    seeded = False
    Options = Settings

    def fit(self, job: FitJob) -> Fitted:
        """Return the leading rows; validation chooses the shrinkage."""
        rows = job.data.basis("learned_whitening")[: max(job.sizes)]
        return Fitted(Stage(self.name, {"weight": rows}, {size: "weight" for size in job.sizes}))


METHOD = LearnedWhitening()
