"""Quality over the share of labelled queries that a method may learn from, against frozen baselines that need none."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from smec.runs import LABELS
from smec.settings import Distinct
from smec.studies.base import StudyExperiment, StudyJob, StudySettings
from smec.studies.blocks import Block, adjust, blocks, gap, quality

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *(
        "dataset",
        "backbone",
        "averaged",
        "size",
        "method",
        "share",
        "frozen",
        "mean",
        "low",
        "high",
        "n_seeds",
        "n_queries",
    ),
    *("against", "difference", "difference_low", "difference_high", "p", "p_holm"),
)


class FewLabelsStudy(StudySettings):
    """Which methods learn from how many labels, and what they are measured from."""

    kind: Literal["few_labels"] = "few_labels"
    labels: Distinct[Annotated[float, Field(gt=0, le=1)]] = Field(
        (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0), description="Shares of the labelled queries to learn from."
    )
    methods: Distinct[str] = Field(description="Names of the runs that learn from labels.")
    frozen: Distinct[str] = Field(
        ("pca", "truncation"), description="Names of the runs without labels; the better one at a size is the baseline."
    )
    at: Distinct[Annotated[int, Field(ge=1)]] = Field(
        (2, 8),
        description="Sizes to look at: the width of the backbone divided by each, or the nearest size that there is.",
    )
    few: float = Field(0.1, gt=0, le=1, description="Largest share that counts as few labels.")
    watched: str | None = Field("smec_plus", description="Run that is meant to stay at or above the baseline.")

    @model_validator(mode="after")
    def _a_run_learns_or_is_frozen(self) -> "FewLabelsStudy":
        for run in self.frozen:
            if run in self.methods:
                raise ValueError(f"{run!r} is among `methods` and among `frozen`; leave it in one of them")
        return self

    def run(self, method: str, share: float) -> str:
        """Return the name of the run of a method that learns from a share of the labels."""
        return method if share == 1 else f"{method},{LABELS}={share:g}"

    def runs(self) -> tuple[str, ...]:
        """Return the frozen runs, and one of each method for each share."""
        return (*self.frozen, *(self.run(method, share) for method in self.methods for share in self.labels))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per dataset, backbone, size, method and share, in `COLUMNS`.

    `averaged` marks means over several datasets. Frozen runs come first and have no share. `against` is the frozen run
    with the higher mean at that size, `difference` the mean minus its mean, paired by query; `p_holm` is adjusted over
    all rows of a dataset.

    Raises:
        SmecError: scores are missing or damaged.
    """
    import pandas as pd

    study, found = job.settings, list[dict[str, Any]]()
    for block in blocks(job, study.runs(), lambda experiment: sizes_at(experiment, study.at)):
        found += _rows(block, study)
    return pd.DataFrame(found, columns=list(COLUMNS))


def sizes_at(experiment: StudyExperiment, divisors: Sequence[int]) -> tuple[int, ...]:
    """Return, largest first, the sizes that are nearest by ratio to the width divided by each of the divisors."""
    wanted = [experiment.width / divisor for divisor in divisors]
    nearest = {min((abs(math.log(size / near)), size) for size in experiment.sizes)[1] for near in wanted}
    return tuple(sorted(nearest, reverse=True))


def _rows(block: Block, study: FewLabelsStudy) -> list[dict[str, Any]]:
    from smec.analysis.cells import difference

    found: list[dict[str, Any]] = []
    for size in block.sizes:
        place = block.place | {"averaged": block.averaged, "size": size}
        level = {run: block.cells[run, size] for run in study.frozen}
        best = max(level, key=lambda run: level[run].mean)
        found += [place | {"method": run, "frozen": True} | quality(cell) for run, cell in level.items()]
        for method in study.methods:
            for share in sorted(study.labels):
                cell = block.cells[study.run(method, share), size]
                row = {"method": method, "share": share, "frozen": False, "against": best}
                found.append(place | row | quality(cell) | gap(difference(cell, level[best])))
    adjust(found)
    return found
