"""Loss and validation quality over the epochs, and what a chain costs against a parallel map of the same quality."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from smec.settings import NonEmpty, Settings
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings
from smec.studies.recorded_fits import fits_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROLES = ("chain", "parallel")
RATIO = "chain/parallel"
ALL = 0
"""The size of rows that are about all sizes together."""

COLUMNS = [
    *("dataset", "backbone", "part", "pair", "role", "run", "stage", "size", "share", "hindsight", "measure", "epoch"),
    *("steps", "value", "low", "high", "n_seeds"),
]
Row = dict[str, Any]


class Pair(Settings):
    """A chain and the parallel map that it is held against."""

    label: str = Field(description="What tables and figures call the pair.")
    chain: str = Field(description="Run that is trained stage by stage.")
    parallel: str = Field(description="Run that is trained at all sizes at once.")

    def runs(self) -> dict[str, str]:
        """Return the run of each role."""
        return {"chain": self.chain, "parallel": self.parallel}


class ConvergenceStudy(StudySettings):
    """Which runs are compared, and by which rules."""

    reads: ClassVar[tuple[Reads, ...]] = ("records", "data")

    kind: Literal["convergence"] = "convergence"
    pairs: NonEmpty[Pair] = Field(
        (
            Pair(label="rank loss", chain="smec,alpha=0,selection=truncation", parallel="mrl,alpha=0"),
            Pair(label="InfoNCE", chain="smec_plus,refit_share=0", parallel="mrl_infonce"),
        ),
        description="Runs with a validation curve throughout: a second fit on the validation queries has none.",
    )
    tolerance: float = Field(
        0.05, gt=0, lt=1, description="Share of a curve's gain that may be missing when it counts as converged."
    )
    shares: NonEmpty[float] = Field(
        (1.0, 0.99), description="Qualities to reach, as shares of the lower one of the two best validation scores."
    )
    rounds: int = Field(3, ge=1, description="Rounds in which the time of a step is taken, each run once in each.")

    def runs(self) -> tuple[str, ...]:
        """Return the runs of all pairs, each once."""
        return tuple(dict.fromkeys(run for pair in self.pairs for run in pair.runs().values()))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per thing measured, in `COLUMNS`; means over seeds with 95 % intervals, ratios geometric.

    `part` is one of

    - `curve`: `measure` at an epoch and step of the whole run: `validation`, nDCG@10 of a size, or `loss`, per level;
    - `convergence`: epochs of a stage until its `loss` or its mean `validation` has converged;
    - `best`: the best validation nDCG@10 of a size, and on the rows of no role the mean quality to reach, per share;
    - `cost`: `steps` and `seconds` until a size reaches that quality. Size 0: until all have. `hindsight`: stages
      before count only up to the weights that were kept. The role of a ratio is `chain/parallel`;
    - `step`: seconds of a step of a stage, the least of the rounds in one process, and the quartiles of all.

    `seconds` are steps times the least time of a step, because what else the machine does can only add to it; their
    interval is that of the steps.

    Raises:
        SmecError: a record holds no validation curve by size.
    """
    import pandas as pd

    from smec.studies.step_times import step_seconds

    study: ConvergenceStudy = job.settings
    rows: list[Row] = []
    for experiment in job.experiments:
        seconds = step_seconds(job, experiment, study.runs(), study.rounds)
        place = {"dataset": experiment.dataset, "backbone": experiment.backbone}
        for pair in study.pairs:
            compared = _Compared(job, experiment, pair, seconds)
            rows += [place | {"pair": pair.label} | row for row in compared.rows()]
    return pd.DataFrame(rows, columns=COLUMNS)


class _Compared:
    """One pair on one dataset."""

    def __init__(
        self, job: StudyJob, experiment: StudyExperiment, pair: Pair, seconds: "Mapping[str, NDArray[np.float64]]"
    ) -> None:
        self.study, self.runs, self.seconds = job.settings, pair.runs(), seconds
        self.seeds = {role: job.seeds_of(run) for role, run in self.runs.items()}
        self.records = {
            role: [job.records(experiment, run, seed) for seed in self.seeds[role]] for role, run in self.runs.items()
        }
        self.fits = {  # by role, then seed, then stage
            role: [fits_of(stages, self.runs[role]) for stages in by_seed] for role, by_seed in self.records.items()
        }
        served = [{size for fit in self.fits[role][0] for size in fit.quality} for role in ROLES]
        self.sizes = sorted(set.intersection(*served), reverse=True)

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all parts."""
        for role in ROLES:
            place: Row = {"role": role, "run": self.runs[role]}
            for row in (*self._curves(role), *self._convergence(role), *self._steps(role)):
                yield place | row
        yield from self._best()
        for share in self.study.shares:
            for hindsight in (False, True):
                for size in (*self.sizes, ALL):
                    about: Row = {"part": "cost", "share": share, "hindsight": hindsight, "size": size}
                    for row in self._cost(size, share, hindsight):
                        yield about | row

    def _curves(self, role: str) -> Iterator[Row]:
        """Yield the points of all curves, epochs and steps counted from the start of the run."""
        epochs = steps = 0
        for stage, fits in enumerate(zip(*self.fits[role], strict=True)):
            losses = [seed[stage]["loss"] for seed in self.records[role]]
            levels = len(fits[0].quality) if len(self.fits[role][0]) == 1 else 2
            each = fits[0].steps / len(losses[0])
            about: Row = {"part": "curve", "stage": self._name(role, stage)}
            for size in sorted(fits[0].quality, reverse=True):
                for epoch, values in enumerate(zip(*(fit.quality[size] for fit in fits), strict=True)):
                    point = {"measure": "validation", "size": size} | _point(epochs + epoch, steps + epoch * each)
                    yield about | point | _over_seeds(values)
            for epoch, values in enumerate(zip(*losses, strict=True)):
                point = {"measure": "loss"} | _point(epochs + epoch + 1, steps + (epoch + 1) * each)
                yield about | point | _over_seeds([value / levels for value in values])
            epochs, steps = epochs + len(losses[0]), steps + fits[0].steps

    def _convergence(self, role: str) -> Iterator[Row]:
        from smec.analysis.convergence import epochs_to_convergence

        for stage in range(len(self.fits[role][0])):
            curves = {"loss": "loss", "validation": "validation_ndcg@10"}
            for measure, entry in curves.items():
                given = [seed[stage][entry] for seed in self.records[role]]
                found = [
                    epochs_to_convergence(range(len(curve)), curve, measure == "loss", self.study.tolerance)
                    for curve in given
                ]
                of = len(given[0]) - 1
                about = {"part": "convergence", "stage": self._name(role, stage), "measure": measure, "epoch": of}
                yield about | _over_seeds(found)

    def _steps(self, role: str) -> Iterator[Row]:
        from smec.analysis.timing import spread

        for stage, times in enumerate(self.seconds[self.runs[role]].T):
            _, low, high = spread(times)
            about = {"part": "step", "stage": self._name(role, stage), "measure": "seconds"}
            yield about | {"value": float(times.min()), "low": low, "high": high}

    def _best(self) -> Iterator[Row]:
        from smec.analysis.convergence import best_quality

        for size in self.sizes:
            about = {"part": "best", "measure": "validation", "size": size}
            for role in ROLES:
                yield about | {"role": role} | _over_seeds([best_quality(fits, size) for fits in self.fits[role]])
            for share in self.study.shares:
                yield about | {"share": share} | _over_seeds(self._wanted(size, share))

    def _wanted(self, size: int, share: float) -> list[float]:
        """Return the quality to reach, with each seed."""
        from smec.analysis.convergence import best_quality

        return [
            share * min(best_quality(fits, size) for fits in pair)
            for pair in zip(*(self.fits[role] for role in ROLES), strict=True)
        ]

    def _cost(self, size: int, share: float, hindsight: bool) -> Iterator[Row]:
        import numpy as np

        from smec.analysis.convergence import steps_to_reach
        from smec.analysis.seeds import ratio_over_seeds

        sizes = self.sizes if size == ALL else [size]
        found: dict[str, dict[str, list[float]]] = {"steps": {}, "seconds": {}}
        for role in ROLES:
            times = self.seconds[self.runs[role]].min(axis=0)
            spent = []
            for seed, fits in enumerate(self.fits[role]):
                levels = [self._wanted(one, share)[seed] for one in sizes]
                each = [steps_to_reach(fits, *wanted, hindsight) for wanted in zip(sizes, levels, strict=True)]
                spent.append(np.max(each, axis=0))
            found["steps"][role] = [float(steps.sum()) for steps in spent]
            found["seconds"][role] = [float(steps @ times) for steps in spent]
        for measure, by_role in found.items():
            for role in ROLES:
                yield {"role": role, "run": self.runs[role], "measure": measure} | _over_seeds(by_role[role])
            chain, parallel = (np.array(by_role[role]) for role in ROLES)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = ratio_over_seeds((chain / parallel).tolist())
            yield {"role": RATIO, "measure": measure, "n_seeds": len(chain)} | ratio._asdict()

    def _name(self, role: str, stage: int) -> str:
        """Return a stage by the sizes that it serves."""
        return " ".join(str(size) for size in sorted(self.fits[role][0][stage].quality, reverse=True))


def _point(epoch: float, steps: float) -> Row:
    return {"epoch": epoch, "steps": steps}


def _over_seeds(values: Sequence[float]) -> Row:
    from smec.analysis.seeds import mean_over_seeds

    return mean_over_seeds(values)._asdict() | {"n_seeds": len(values)}
