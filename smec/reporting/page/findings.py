"""What a table of scores says about the run that it tests, as numbers that a text can quote."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from smec.reporting.tables import sections


@dataclass(frozen=True)
class Point:
    """The tested run at one size, and the best of the others there.

    Attributes:
        size: number of dimensions.
        mean: of the tested run; `low` and `high` are its 95 % interval.
        rival: label of the best other run.
        rival_mean: its mean.
        p: of the paired test of the difference, adjusted over the sizes.
        differs: whether the test says that the two differ.
    """

    size: int
    mean: float
    low: float
    high: float
    rival: str
    rival_mean: float
    p: float
    differs: bool

    @property
    def difference(self) -> float:
        """Mean of the tested run minus that of the best other."""
        return self.mean - self.rival_mean


@dataclass(frozen=True)
class Findings:
    """One dataset and backbone of a table of scores.

    Attributes:
        dataset: name, or that of a group of datasets, or `average`.
        backbone: name.
        tested: label of the tested run; empty where none is.
        width: dimensions of the uncompressed vectors, else the largest size.
        uncompressed: mean of the uncompressed vectors; None where they were not scored.
        points: the tested run, sizes falling.
        block: the rows of the table.
    """

    dataset: str
    backbone: str
    tested: str
    width: int
    uncompressed: float | None
    points: tuple[Point, ...]
    block: pd.DataFrame

    @property
    def averaged(self) -> bool:
        """Whether the scores are means over several datasets."""
        return bool((self.block["n_datasets"] > 1).any())

    @property
    def ahead(self) -> tuple[Point, ...]:
        """Sizes at which the tested run has the higher mean."""
        return tuple(point for point in self.points if point.difference > 0)

    @property
    def behind(self) -> tuple[Point, ...]:
        """Sizes at which it does not."""
        return tuple(point for point in self.points if point.difference <= 0)

    @property
    def smaller(self) -> tuple[Point, ...]:
        """Sizes below the full width."""
        return tuple(point for point in self.points if point.size < self.width)

    @property
    def full(self) -> Point | None:
        """The tested run at the full width."""
        return next((point for point in self.points if point.size == self.width), None)

    @property
    def lossless(self) -> Point | None:
        """The smallest size from which on no larger one is below the uncompressed vectors."""
        found = None
        for point in self.points:
            if self.uncompressed is None or point.mean < self.uncompressed:
                return found
            found = point
        return found


def findings(summary: pd.DataFrame) -> list[Findings]:
    """Return the findings of each dataset and backbone, in the order of the summary.

    Args:
        summary: a frame of `smec.reporting.summary.summarise`.
    """
    return [_of_block(dataset, backbone, block) for dataset, backbone, block in sections(summary)]


def _of_block(dataset: str, backbone: str, block: pd.DataFrame) -> Findings:
    labels = dict(zip(block["method"], block["label"], strict=True))
    reference = block[block["reference"]]
    runs = block[~block["reference"]]
    labels |= dict(zip(runs["method"], runs["label"], strict=True))
    tested = runs[runs["rival"] != ""].sort_values("dim", ascending=False)
    return Findings(
        dataset=dataset,
        backbone=backbone,
        tested=str(tested["label"].iloc[0]) if len(tested) else "",
        width=int(block["dim"].max()),
        uncompressed=float(reference["mean"].iloc[0]) if len(reference) else None,
        points=tuple(_point(row, labels) for row in tested.to_dict("records")),
        block=block,
    )


def _point(row: Any, labels: dict[str, str]) -> Point:
    return Point(
        size=int(row["dim"]),
        mean=row["mean"],
        low=row["low"],
        high=row["high"],
        rival=labels[row["rival"]],
        rival_mean=row["mean"] - row["difference"],
        p=row["p_holm"],
        differs=bool(row["significant"]),
    )
