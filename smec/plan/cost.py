"""What jobs cost, added up."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

HOUR = 3600.0


@dataclass(frozen=True)
class Cost:
    """What a job takes; what is not known counts as nothing and is told by `Estimate.unknown`.

    Attributes:
        gpu_hours: of one GPU.
        core_hours: of one processor core.
        result_bytes: that it leaves below the results.
        download_bytes: that it fetches to the folder of downloads.
        cache_bytes: weights of a model, in the cache of the model hub.
        tokens: sent to a paid API, at most.
        dollars: paid for them, at most.
        scratch_bytes: of files that are there while the job runs, at most.
    """

    gpu_hours: float = 0.0
    core_hours: float = 0.0
    result_bytes: float = 0.0
    download_bytes: float = 0.0
    cache_bytes: float = 0.0
    tokens: float = 0.0
    dollars: float = 0.0
    scratch_bytes: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(Cost)))

    @staticmethod
    def total(costs: Iterable["Cost"]) -> "Cost":
        """Return the sum."""
        return sum(costs, Cost())
