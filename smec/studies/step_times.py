"""The time of a training step of whole runs, taken in one process and in turn."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smec.studies.base import StudyExperiment, StudyJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from smec.training_data import TrainingData

ONCE: Mapping[str, Any] = {"epochs": 1, "refit_share": 0.0, "pull_back": False, "cost": "per_size"}
"""Options of a run that is fitted for its time alone, where its method has them."""


def step_seconds(
    job: StudyJob, experiment: StudyExperiment, runs: Sequence[str], rounds: int
) -> "dict[str, NDArray[np.float64]]":
    """Return the seconds of a step of each stage of each run, float64 (rounds, stages), validation not counted.

    Every round fits each run for one epoch, in an order that moves on, so that what else the machine does falls on all.
    """
    from smec.analysis.timing import in_turn

    data = job.training_data(experiment)
    return in_turn({run: _call(job, experiment, run, data) for run in runs}, rounds)


def _call(job: StudyJob, experiment: StudyExperiment, run: str, data: "TrainingData") -> Callable[[], list[float]]:
    from smec.compressors import method_named
    from smec.method import FitJob, stage_names

    method, given = method_named(job.known[run].method), job.options(run)
    options = given.model_copy(update={key: value for key, value in ONCE.items() if hasattr(given, key)})
    names = stage_names(method.schedule, experiment.sizes, experiment.width)

    def measure() -> list[float]:
        previous, found = None, []
        for name in names:
            size = None if name == "all" else int(name.removeprefix("dim"))
            fitted = method.fit(FitJob(data, experiment.sizes, size, options, seed=0, previous=previous))
            previous = fitted.stage if method.schedule == "chain" else None
            found.append(sum(fitted.record["seconds_per_epoch"]) / fitted.record["steps"])
        return found

    return measure
