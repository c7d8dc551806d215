"""Learned whitening, in closed form: what labels give before anything is trained step by step."""

from pydantic import Field

from smec.method import FitJob, Fitted, Method, Stage
from smec.settings import Settings


class Options(Settings):
    """Options of learned whitening."""

    shrinkage: float | None = Field(
        None, gt=0, description="Share of the mean variance that is added to each; null: validation chooses."
    )


class LearnedWhitening(Method):
    """Whitens the differences of relevant pairs, then keeps the principal axes (Mikolajczyk and Matas 2007)."""

    name = "learned_whitening"
    schedule = "joint"
    seeded = False
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Return the leading rows."""
        rows = job.data.basis("learned_whitening", job.options.shrinkage)[: max(job.sizes)]
        return Fitted(Stage(self.name, {"weight": rows}, {size: "weight" for size in job.sizes}))


METHOD = LearnedWhitening()
