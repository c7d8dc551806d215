"""Whether a selection keeps the dimensions that matter: achievement rate by WARE (SMEC, ADS against truncation)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from smec.errors import SmecError
from smec.settings import Distinct
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings
from smec.studies.comparison import Labelled

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from smec.analysis.ware import Ware
    from smec.sides import Sides
    from smec.training_data import TrainingData

Rule = Literal["truncation", "random", "variance", "contribution"]
Space = Literal["frozen", "trained"]

PAPER_WIDTH = 3072
"""The paper does not give the width of its 1536, 768 and 256 kept dimensions. Truncation to 1536 achieves 50.3 %, what
chance does with half of the dimensions, and 3072 is the width of one of its two backbones of text."""

RESAMPLES = 1000

COLUMNS = (
    *("dataset", "backbone", "chain", "run", "space", "selection", "learned", "size", "width", "mean", "low", "high"),
    *("chance", "n_seeds", "n_queries", "n_pairs", "n_left_out", "paper_size", "paper"),
)


class AchievementStudy(StudySettings):
    """Whose selections are measured, and how WARE is taken."""

    reads: ClassVar[tuple[Reads, ...]] = ("stages", "data")

    kind: Literal["achievement"] = "achievement"
    chains: Labelled = Field(description="Label and run of each chain whose selection is measured.")
    rules: tuple[Rule, ...] = Field(
        ("truncation", "random", "variance", "contribution"),
        description="Rules that choose from the same outputs, without training.",
    )
    spaces: Distinct[Space] = Field(
        ("frozen", "trained"),
        description="Whose dimensions WARE is of. `frozen`: of the backbone's vectors in the basis that the chain "
        "starts from; `trained`: of the outputs of its first map, before any of them is selected.",
    )
    without: Literal["renormalised", "dropped"] = Field(
        "renormalised",
        description="Similarity without a dimension. `renormalised`: the cosine of what is left; `dropped`: the inner "
        "product of what is left of two unit vectors.",
    )
    neighbours: int = Field(
        20, ge=0, description="Mined neighbours of each query that make pairs with it, beside its relevant documents."
    )
    pairs: int = Field(10_000, ge=1, description="Pairs at most; above, a sample.")
    smallest_similarity: float = Field(
        0.01, gt=0, description="Pairs with a smaller similarity in size are left out, and counted."
    )

    def runs(self) -> tuple[str, ...]:
        """Return the run of each chain, each once."""
        return tuple(dict.fromkeys(run for _, run in self.chains))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per dataset, backbone, chain, space, selection and size, in `COLUMNS`; rates are shares.

    WARE is taken over pairs of validation queries, which no selection was fitted on, with their relevant documents and
    their mined neighbours. All sizes are compared with the top of all D dimensions, which a chain narrows down stage by
    stage. `learned` marks the chain's own selection; `chance` is what random dimensions achieve on average.

    Raises:
        SmecError: a run is no chain whose dimensions can be followed, or no pair is similar enough.
    """
    import pandas as pd

    found: list[dict[str, Any]] = []
    for experiment in job.experiments:
        data = job.training_data(experiment)
        for label, run in job.settings.chains:
            place = {"dataset": experiment.dataset, "backbone": experiment.backbone, "chain": label, "run": run}
            found += [place | row for row in _rows(job, experiment, data, run)]
    return pd.DataFrame(found, columns=list(COLUMNS))


def paper_size(size: int, width: int, sizes: Sequence[int]) -> int | None:
    """Return the size of the paper that keeps a share nearest to `size` of `width`, None if another size is nearer.

    >>> [paper_size(size, 384, (192, 96, 48, 24)) for size in (192, 96, 48, 24)]
    [1536, 768, None, 256]
    """
    from smec.paper_values import ACHIEVEMENT_RATE

    def apart(ours: int, theirs: int) -> float:
        return abs(math.log((ours / width) / (theirs / PAPER_WIDTH)))

    nearest = min(ACHIEVEMENT_RATE, key=lambda theirs: apart(size, theirs))
    return nearest if min(sizes, key=lambda ours: apart(ours, nearest)) == size else None


@dataclass(frozen=True)
class _Space:
    """Outputs whose dimensions are ranked.

    Attributes:
        ware: of all dimensions.
        places: int64 (D,), their ranks by WARE.
        drawn: int64 (B, D), their ranks over draws of the queries.
        ruled: by rule that does not depend on a seed, int64 (D - 1,), the dimensions that it keeps, best first.
    """

    ware: "Ware"
    places: "NDArray[np.int64]"
    drawn: "NDArray[np.int64]"
    ruled: "Mapping[str, NDArray[np.int64]]"


def _rows(job: StudyJob, experiment: StudyExperiment, data: "TrainingData", run: str) -> list[dict[str, Any]]:
    from smec.sides import Sides
    from smec.studies.kept_dimensions import first_map, kept_dimensions, require_selection

    study, options = job.settings, job.options(run)
    require_selection(options, run)
    seeds = job.seeds_of(run)
    stages = [job.stages(experiment, run, seed) for seed in seeds]
    learned = [kept_dimensions(one) for one in stages]
    found = []
    for space in study.spaces:
        if space == "frozen":
            start = Sides.shared(data.basis(options.basis, options.shrinkage))
            spaces = [_measured(study, data, start)] * len(seeds)
        else:
            spaces = [_measured(study, data, first_map(one[0], experiment.width)) for one in stages]
        for size in learned[0]:
            chosen = {(options.selection, True): [kept[size] for kept in learned]}
            for rule in study.rules:
                chosen[rule, False] = [_ruled(rule, one, size, seed) for one, seed in zip(spaces, seeds, strict=True)]
            for (selection, own), kept in chosen.items():
                row = {"space": space, "selection": selection, "learned": own, "size": size, "width": experiment.width}
                found.append(row | _rate(spaces, kept) | _paper(selection, size, experiment.width, tuple(learned[0])))
    return found


def _measured(study: AchievementStudy, data: "TrainingData", weight: "Sides[NDArray[np.float32]]") -> _Space:
    """Rank the dimensions of a map, float32 (D, M) each, and choose by every rule that looks at its outputs."""
    import numpy as np

    from smec.analysis.pairs import Pairs, sample_pairs
    from smec.analysis.ware import ranks, ware
    from smec.linear import normalized
    from smec.row_blocks import row_blocks, taken, through
    from smec.selection import fixed_selection
    from smec.stage_map import Outputs

    pairs = sample_pairs(data.validation, data.validation_negatives[:, : study.neighbours], study.pairs)
    documents, place = np.unique(pairs.document_rows, return_inverse=True)
    found = ware(
        normalized(np.concatenate(list(through(row_blocks(data.validation_queries), weight.queries)))),
        normalized(np.concatenate(list(through(taken(data.documents, documents), weight.corpus)))),
        Pairs(pairs.query_rows, place),
        study.without,
        study.smallest_similarity,
    )
    seen = Outputs(data, weight)
    if "contribution" in study.rules and not len(seen.pairs):
        raise SmecError(
            f"The study {study.title!r} chooses by `contribution`, which needs mined negatives, and there are none. "
            "Set `mined_negatives` above 0, or take it out of `rules`."
        )
    ruled: dict[str, NDArray[np.int64]] = {
        rule: fixed_selection(rule, len(weight.corpus) - 1, seen, seed=0) for rule in study.rules if rule != "random"
    }
    return _Space(found, ranks(found.values()), ranks(found.resampled(RESAMPLES)), ruled)


def _ruled(rule: str, space: _Space, size: int, seed: int) -> "NDArray[np.int64]":
    import numpy as np

    if rule != "random":
        return space.ruled[rule][:size]
    return np.random.default_rng(seed).permutation(len(space.places))[:size].astype(np.int64)


def _rate(spaces: "Sequence[_Space]", kept: "Sequence[NDArray[np.int64]]") -> dict[str, Any]:
    """Return the achievement rate over seeds, its interval, and what it was taken over."""
    import numpy as np

    from smec.analysis.ware import achievement_interval, achievement_rate

    rates = [achievement_rate(space.places, chosen) for space, chosen in zip(spaces, kept, strict=True)]
    low, high = achievement_interval([space.places for space in spaces], [space.drawn for space in spaces], kept)
    wares = [space.ware for space in spaces]
    return {
        "mean": float(np.mean(rates)),
        "low": low,
        "high": high,
        "chance": len(kept[0]) / len(spaces[0].places),
        "n_seeds": len(kept),
        "n_queries": int((wares[0].counts > 0).sum()),
        "n_pairs": int(wares[0].counts.sum()) + wares[0].left_out,
        "n_left_out": max(one.left_out for one in wares),
    }


def _paper(selection: str, size: int, width: int, sizes: Sequence[int]) -> dict[str, float]:
    """Return the paper's rate as a share, of ADS or of truncation, at the size that stands for ours."""
    from smec.paper_values import ACHIEVEMENT_RATE

    theirs = paper_size(size, width, sizes)
    if theirs is None or selection not in ("ads", "truncation"):
        return {}
    return {"paper_size": theirs, "paper": ACHIEVEMENT_RATE[theirs][selection != "ads"] / 100}
