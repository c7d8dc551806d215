"""One compressor trained on several datasets together against one for each, on those and on datasets never seen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from smec.runs import DATA, JOIN
from smec.settings import Distinct
from smec.studies.base import StudyJob, StudySettings
from smec.studies.blocks import Block, adjust, blocks, gap, quality

if TYPE_CHECKING:
    import pandas as pd

    from smec.analysis.cells import Cell

COLUMNS = (
    *("dataset", "backbone", "size", "method", "trained", "role", "mean", "low", "high", "n_seeds", "n_queries"),
    *("question", "against", "difference", "difference_low", "difference_high", "p", "p_holm"),
)


class DomainsStudy(StudySettings):
    """Which datasets are learned from together, and where that is tested."""

    kind: Literal["domains"] = "domains"
    together: Distinct[str] = Field(description="Datasets to learn from, together and one by one.")
    unseen: tuple[str, ...] = Field((), description="Datasets to test on as well, which no compressor learns from.")
    methods: Distinct[str] = Field(("smec_plus",), description="Names of the runs that learn.")
    frozen: Distinct[str] = Field(
        ("pca", "truncation"), description="Names of the runs without labels; the better one at a size is the baseline."
    )

    @model_validator(mode="before")
    @classmethod
    def _tested_on_all(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and isinstance(values.get("together"), list | tuple):
            return {**values, "datasets": [*values["together"], *(values.get("unseen") or ())]}
        return values

    @model_validator(mode="after")
    def _several_domains(self) -> "DomainsStudy":
        if len(self.together) < 2:
            raise ValueError("together: at least two datasets are needed, else there is nothing to compare")
        return self

    def trainings(self) -> tuple[str, ...]:
        """Return what compressors are trained on: each dataset alone, then all together, as run names say it."""
        return (*self.together, JOIN.join(self.together))

    def run(self, method: str, trained: str) -> str:
        """Return the name of the run of a method that is trained on `trained`."""
        return f"{method},{DATA}={trained}"

    def runs(self) -> tuple[str, ...]:
        """Return the frozen runs, and one of each method for each training."""
        return (*self.frozen, *(self.run(method, trained) for method in self.methods for trained in self.trainings()))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return the quality of every compressor on every dataset at all sizes, in `COLUMNS`.

    `role` is `frozen`, `own` (trained on the dataset that it is tested on), `other`, or `joint`. `question` says what
    the difference is of:

    - `gain`: over the frozen run `against`, the better one at that size; a row per compressor.
    - `own`: of the joint compressor over the one that was trained on this dataset, which `against` names.
    - `other`: of the joint compressor over one that was trained on another dataset, which `against` names.

    Frozen runs have no difference. `p_holm` is adjusted over all rows of a backbone with the same question.

    Raises:
        SmecError: scores are missing or damaged.
    """
    import pandas as pd

    study: DomainsStudy = job.settings
    found: list[dict[str, Any]] = []
    for block in blocks(job, study.runs(), lambda experiment: experiment.sizes, average=False):
        for size in block.sizes:
            found += _frozen(block, study, size)
            for method in study.methods:
                found += _gains(block, study, method, size)
                found += _joint(block, study, method, size)
    for backbone in {row["backbone"] for row in found}:
        for question in ("gain", "own", "other"):
            adjust([row for row in found if (row["backbone"], row.get("question")) == (backbone, question)])
    return pd.DataFrame(found, columns=list(COLUMNS))


def _row(block: Block, size: int, method: str, trained: str, role: str, cell: "Cell") -> dict[str, Any]:
    return block.place | {"size": size, "method": method, "trained": trained, "role": role} | quality(cell)


def _frozen(block: Block, study: DomainsStudy, size: int) -> Iterator[dict[str, Any]]:
    for run in study.frozen:
        yield _row(block, size, run, "", "frozen", block.cells[run, size])


def _gains(block: Block, study: DomainsStudy, method: str, size: int) -> Iterator[dict[str, Any]]:
    """Yield each compressor of a method, measured from the better frozen run."""
    from smec.analysis.cells import difference

    best = max(study.frozen, key=lambda run: block.cells[run, size].mean)
    for trained in study.trainings():
        cell = block.cells[study.run(method, trained), size]
        role = "joint" if JOIN in trained else "own" if trained == block.dataset else "other"
        measured = {"question": "gain", "against": best} | gap(difference(cell, block.cells[best, size]))
        yield _row(block, size, method, trained, role, cell) | measured


def _joint(block: Block, study: DomainsStudy, method: str, size: int) -> Iterator[dict[str, Any]]:
    """Yield the joint compressor of a method, measured from each compressor of one dataset."""
    from smec.analysis.cells import difference

    *singles, together = study.trainings()
    cell = block.cells[study.run(method, together), size]
    for trained in singles:
        single = block.cells[study.run(method, trained), size]
        question = "own" if trained == block.dataset else "other"
        measured = {"question": question, "against": trained} | gap(difference(cell, single))
        yield _row(block, size, method, together, "joint", cell) | measured
