"""Search-Adaptor, one map per size (arXiv 2310.08750; one FC per output size, as in SMEC's overview figure)."""

from pydantic import Field

from smec.method import FitJob, Fitted, Method, Stage
from smec.options import SupervisedOptions


class Options(SupervisedOptions):
    """`L_rank + recovery L_rec + prediction L_pred`."""

    recovery: float = Field(
        0.1, ge=0, description="Weight of L_rec, the L1 distance of the output from the start (published: 0, .1 or 1)."
    )
    prediction: float = Field(
        0.01,
        ge=0,
        description="Weight of L_pred, the L1 distance of a query from its prediction by its relevant document "
        "(published: 0, .01 or .1).",
    )


class SearchAdaptor(Method):
    """A residual linear adapter shared by queries and documents, trained for one size alone."""

    name = "search_adaptor"
    schedule = "per_size"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Train the map of one size."""
        from smec.search_adaptor import fit_adapter

        assert job.size is not None
        rows = job.data.basis(job.options.basis, job.options.shrinkage)[: job.size]
        weight, history = fit_adapter(job, rows)
        name = f"weight{job.size}"
        stage = Stage(self.name, {name: weight}, {job.size: name})
        return Fitted(stage, history.record() | {"warnings": history.warnings()})


METHOD = SearchAdaptor()
