"""Runs set beside a baseline at several sizes, and beside the same rows of a published table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from smec.errors import SmecError, nearest_name
from smec.paper_values import TABLES, PaperTable
from smec.settings import Distinct
from smec.studies.base import StudyExperiment, StudyJob, StudySettings
from smec.studies.blocks import AVERAGE, Block, adjust, blocks, gap, quality

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("dataset", "backbone", "size", "row", "run", "mean", "low", "high", "n_seeds", "n_queries"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
    *("paper_size", "paper", "paper_difference", "beyond_paper"),
)


def _pairs(rows: Any) -> Any:
    return tuple(rows.items()) if isinstance(rows, Mapping) else rows


Labelled = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_pairs),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 2}),
]
"""Label and run, in the order of the rows; a mapping in the configuration."""


PaperColumns = dict[tuple[str, int], dict[str, float]]
"""Published columns by row and our size."""


class ComparisonStudy(StudySettings):
    """Which runs are compared, and with what."""

    kind: Literal["comparison"] = "comparison"
    rows: Labelled = Field(description="Label of each row and the name of its run, in order.")
    baseline: str = Field(description="Label of the row that the others are measured from.")
    sizes: Distinct[int] | None = Field(None, description="Sizes to compare at; null: all below the backbone's width.")
    paper: str | None = Field(
        None, description="Published table to set beside, a key of `smec.paper_values.TABLES`; rows match by label."
    )

    @model_validator(mode="after")
    def _rows_are_known(self) -> "ComparisonStudy":
        labels = [label for label, _ in self.rows]
        if len(labels) < 2:
            raise ValueError("a comparison needs at least two rows")
        if self.baseline not in labels:
            raise ValueError(
                f"the baseline {self.baseline!r} is none of the rows. {nearest_name(self.baseline, labels)}"
            )
        if self.paper is not None and self.paper not in TABLES:
            raise ValueError(f"there is no published table {self.paper!r}. {nearest_name(self.paper, TABLES)}")
        if self.paper is not None and self.baseline not in TABLES[self.paper].rows:
            nearest = nearest_name(self.baseline, TABLES[self.paper].rows)
            raise ValueError(f"the published table has no row {self.baseline!r} to measure from. {nearest}")
        return self

    def runs(self) -> tuple[str, ...]:
        """Return the run of each row, each once."""
        return tuple(dict.fromkeys(run for _, run in self.rows))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per dataset, backbone, size and row of the comparison, in `COLUMNS`.

    `difference` is the mean minus the baseline's, paired by query; `p_holm` is adjusted over all rows and sizes of a
    dataset. `beyond_paper` is the difference minus the paper's, at the size that stands for ours (`paired_sizes`); a
    published mean over datasets stands beside our mean alone, where we have one.

    Raises:
        SmecError: scores are missing, or an experiment lacks one of the sizes.
    """
    import pandas as pd

    study: ComparisonStudy = job.settings
    measured = list(blocks(job, study.runs(), lambda experiment: _sizes(experiment, study)))
    averaged = {block.backbone for block in measured if block.dataset == AVERAGE}
    found: list[dict[str, Any]] = []
    for block in measured:
        table = TABLES[study.paper] if study.paper else None
        if table and table.average and block.dataset != AVERAGE and block.backbone in averaged:
            table = None
        found += _rows(block, study, _paper(table, study.baseline, block.sizes) if table else {})
    return pd.DataFrame(found, columns=list(COLUMNS))


def paired_sizes(ours: Sequence[int], theirs: Sequence[int]) -> dict[int, int]:
    """Return for our sizes those of a published table: equal ones, and where none is equal in order from the smallest.

    >>> paired_sizes([192, 96, 48, 24], [64, 128, 256, 512])
    {24: 64, 48: 128, 96: 256, 192: 512}
    """
    equal = {size: size for size in sorted(ours) if size in theirs}
    return equal or dict(zip(sorted(ours), sorted(theirs), strict=False))


def _rows(block: Block, study: ComparisonStudy, paper: PaperColumns) -> list[dict[str, Any]]:
    runs = dict(study.rows)
    found = []
    for size in block.sizes:
        level = block.cells[runs[study.baseline], size]
        for label, run in study.rows:
            row: dict[str, Any] = block.place | {"size": size, "row": label, "run": run}
            row |= quality(block.cells[run, size])
            if label != study.baseline:
                row |= _against(block, run, size, level)
            found.append(row | paper.get((label, size), {}))
    adjust(found)
    for row in found:
        if "difference" in row and "paper_difference" in row:
            row["beyond_paper"] = row["difference"] - row["paper_difference"]
    return found


def _against(block: Block, run: str, size: int, level: Any) -> dict[str, float]:
    from smec.analysis.cells import difference

    return gap(difference(block.cells[run, size], level))


def _sizes(experiment: StudyExperiment, study: ComparisonStudy) -> tuple[int, ...]:
    """Return the sizes to compare at, largest first."""
    if study.sizes is None:
        return tuple(size for size in experiment.sizes if size < experiment.width)
    for size in study.sizes:
        if size not in experiment.sizes:
            raise SmecError(
                f"The study {study.title!r} asks for {size} dimensions, but {experiment.dataset} with "
                f"{experiment.backbone} has the sizes {list(experiment.sizes)}. Change `sizes` of the study or of the "
                "experiment."
            )
    return tuple(sorted(study.sizes, reverse=True))


def _paper(table: PaperTable, baseline: str, sizes: Sequence[int]) -> PaperColumns:
    """Return the published columns; shares, not percent."""
    level = table.shares(baseline)
    pairs = paired_sizes(sizes, list(level))
    found: PaperColumns = {}
    for label in table.rows:
        shares = table.shares(label)
        for ours, theirs in pairs.items():
            if theirs in shares:
                found[label, ours] = {"paper_size": theirs, "paper": shares[theirs]}
                if label != baseline:
                    found[label, ours]["paper_difference"] = shares[theirs] - level[theirs]
    return found
