"""Gradients of MRL and of the first SMRL stage over the epochs, by ranges of output dimensions (the paper's figure 6).

Both maps are trained here, from one start, on one sequence of batches: MRL with the losses of several sizes added up,
SMRL with those of the backbone's width and of the first size below it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from smec.errors import SmecError
from smec.settings import Distinct, NonEmpty, Settings
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from smec.options import SimilarityOptions
    from smec.training_data import TrainingData

SMRL = "smec,alpha=0,selection=truncation"
BASE = f"{SMRL},basis=identity"

COLUMNS = [
    *("dataset", "backbone", "part", "case", "loss", "mrl_levels", "smrl_levels", "epoch", "scheme", "measure"),
    *("value", "low", "high", "expected", "n_seeds", "steps"),
]
BETWEEN = "mrl/smrl"
"""The scheme of a ratio of both."""

Measures = dict[tuple[str, str], float]
"""By scheme and measure."""


class Case(Settings):
    """A pair of fits."""

    label: str = Field(description="What the tables call it.")
    run: str = Field(description="Run whose options both fits have; its `basis` is where they start.")
    levels: int | None = Field(
        4, ge=2, description="Sizes whose losses MRL adds up, the largest ones, the width included; null: all."
    )
    start: Literal["basis", "random"] = Field("basis", description="`random`: normal entries of variance 1 / M.")
    reduction: Literal["sum", "mean"] = Field("sum", description="Whether the losses of the levels are averaged.")


LOSSES = (
    Case(label="rank", run=BASE),
    Case(label="MSE", run=f"{BASE},loss=mse"),
    Case(label="cross-entropy", run=f"{BASE},loss=cross_entropy,temperature=0.05"),
)
VARIANTS = (
    Case(label="MRL with 3 levels", run=BASE, levels=3),
    Case(label="MRL with 3 levels, MSE", run=f"{BASE},loss=mse", levels=3),
    Case(label="MRL with 3 levels, cross-entropy", run=f"{BASE},loss=cross_entropy,temperature=0.05", levels=3),
    Case(label="MRL with all sizes", run=BASE, levels=None),
    Case(label="losses averaged over levels", run=BASE, reduction="mean"),
    Case(label="start: principal axes", run=f"{SMRL},basis=pca"),
    Case(label="start: random", run=BASE, start="random"),
    Case(label="rank temperature 0.1", run=f"{BASE},temperature=0.1"),
    Case(label="no hard negatives", run=f"{BASE},hard_negatives=0"),
    Case(label="all of the batch as negatives", run=f"{BASE},contrast=batch"),
    Case(label="learning rate 0.01", run=f"{BASE},learning_rate=0.01"),
    Case(label="learning rate decays to 0", run=f"{BASE},final_learning_rate=0"),
    Case(label="with L_unsup", run="smec,basis=identity,selection=truncation"),
)


class GradientsStudy(StudySettings):
    """What is fitted, and for how long."""

    reads: ClassVar[tuple[Reads, ...]] = ("data",)

    kind: Literal["gradients"] = "gradients"
    losses: NonEmpty[Case] = Field(LOSSES, description="Cases of the figure.")
    variants: tuple[Case, ...] = Field(
        VARIANTS, description="Cases that show what the ratios depend on; fitted with the first seed alone."
    )
    epochs: int = Field(31, ge=1, description="Passes over the training queries.")
    variant_epochs: int | None = Field(None, ge=1, description="The same for the variants; null: as many.")
    shown_epochs: Distinct[int] = Field((0, 10, 20, 30), description="Epochs of the bars and of the table, from 0.")

    def runs(self) -> tuple[str, ...]:
        """Return the runs whose options the cases have, each once."""
        return tuple(dict.fromkeys(case.run for case in (*self.losses, *self.variants)))


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Return one row per dataset, case, epoch, scheme and measure, in `COLUMNS`.

    Epoch e holds the gradients met after e passes over the training queries. `part` is `losses` or `variants`; `scheme`
    is `mrl`, `smrl` or, for the ratio of both, `mrl/smrl`. `value` is the mean over seeds, of ratios the geometric
    one; `low` and `high` are its 95 % interval over seeds, empty with one seed; `expected` is what `1 / delta(d)^2`
    alone would give (`smec.analysis.gradients.expected_ratios`). Measures are those of `follow`.

    Raises:
        SmecError: a run has a map for each side.
    """
    import pandas as pd

    study: GradientsStudy = job.settings
    parts = {
        "losses": (study.losses, study.epochs, job.seeds),
        "variants": (study.variants, study.variant_epochs or study.epochs, job.seeds[:1]),
    }
    rows: list[dict[str, Any]] = []
    for experiment in job.experiments:
        fits = _Fits(job, experiment)
        for part, (cases, epochs, seeds) in parts.items():
            place = {"dataset": experiment.dataset, "backbone": experiment.backbone, "part": part}
            rows += [place | row for case in cases for row in fits.rows(case, epochs, seeds)]
    return pd.DataFrame(rows, columns=COLUMNS)


def levels_of(experiment: StudyExperiment, count: int | None) -> dict[str, tuple[int, ...]]:
    """Return the sizes whose losses each scheme adds up, largest first."""
    sizes = (experiment.width, *(size for size in experiment.sizes if size < experiment.width))
    return {"mrl": sizes[:count], "smrl": sizes[:2]}


class _Fits:
    """The fits on one dataset; cases that differ in MRL's levels share the fit of SMRL."""

    def __init__(self, job: StudyJob, experiment: StudyExperiment) -> None:
        self.job, self.experiment = job, experiment
        self.data = job.training_data(experiment)
        self._known: dict[tuple[Any, ...], list[dict[str, float]]] = {}

    def rows(self, case: Case, epochs: int, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a case."""
        from smec.analysis.seeds import mean_over_seeds, ratio_over_seeds
        from smec.batches import steps_per_epoch

        options, levels = self.job.options(case.run), levels_of(self.experiment, case.levels)
        if getattr(options, "maps", "shared") != "shared":
            raise SmecError(
                f"The case {case.label!r} follows the gradients of one map, and {case.run} has one for each side. Take "
                "`maps` out of its run."
            )
        expected = _expected(case, levels, self.data.width)
        by_seed = [self._of_seed(case, levels, epochs, seed) for seed in seeds]
        steps = steps_per_epoch(len(self.data.queries), options.batch_size)
        about = {"case": case.label, "loss": options.loss, "n_seeds": len(seeds), "steps": steps}
        about |= {f"{scheme}_levels": " ".join(map(str, sizes)) for scheme, sizes in levels.items()}
        for epoch in range(epochs):
            for scheme, measure in by_seed[0][epoch]:
                over_seeds = ratio_over_seeds if scheme == BETWEEN or "ratio" in measure else mean_over_seeds
                estimate = over_seeds([found[epoch][scheme, measure] for found in by_seed])
                told = {"epoch": epoch, "scheme": scheme, "measure": measure} | estimate._asdict()
                yield about | told | {"expected": expected.get((scheme, measure))}

    def _of_seed(self, case: Case, levels: Mapping[str, tuple[int, ...]], epochs: int, seed: int) -> list[Measures]:
        """Return what is measured in each epoch with one seed."""
        found: list[Measures] = [{} for _ in range(epochs)]
        for scheme, sizes in levels.items():
            fit = (case.run, case.start, case.reduction, sizes, epochs, seed)
            if fit not in self._known:
                options, start = self.job.options(case.run), self._start(case, seed)
                self._known[fit] = follow(self.data, options, start, sizes, epochs, seed, case.reduction)
            for measures, measured in zip(found, self._known[fit], strict=True):
                measures |= {(scheme, measure): value for measure, value in measured.items()}
        for measures in found:
            for name in ("variance", "net_variance"):
                measures[BETWEEN, name] = measures["mrl", name] / measures["smrl", name]
        return found

    def _start(self, case: Case, seed: int) -> "NDArray[np.float32]":
        import numpy as np

        width = self.data.width
        if case.start == "basis":
            options = self.job.options(case.run)
            return self.data.basis(options.basis, options.shrinkage)
        return np.random.default_rng(seed).normal(0, width**-0.5, (width, width)).astype(np.float32)


def _expected(case: Case, levels: Mapping[str, tuple[int, ...]], width: int) -> Measures:
    from smec.analysis.gradients import expected_ratios

    ratios = expected_ratios(levels["mrl"], levels["smrl"], width)
    scale = len(levels["smrl"]) / len(levels["mrl"]) if case.reduction == "mean" else 1.0
    return {
        (BETWEEN, "variance"): ratios.variance * scale**2,
        ("mrl", "half_ratio"): ratios.mrl,
        ("smrl", "half_ratio"): ratios.smrl,
    }


def follow(
    data: "TrainingData",
    options: "SimilarityOptions",
    start: "NDArray[np.float32]",
    levels: Sequence[int],
    epochs: int,
    seed: int,
    reduction: Literal["sum", "mean"] = "sum",
) -> list[dict[str, float]]:
    """Train a map and measure its gradients.

    Args:
        data: to learn from.
        options: loss, batches and optimiser.
        start: float32 (d, M), the map at the start.
        levels: sizes whose losses are added up.
        epochs: passes over the training queries.
        seed: of the batches.
        reduction: `mean` divides the loss by the number of levels.

    Returns:
        For each epoch `loss`; `low`, `high` and `variance` as `smec.analysis.gradients` defines them; `half_ratio`,
        low over high; and these four of the mean gradient of the epoch's steps, as `net_low` and so on.
    """
    import torch

    from smec.analysis.gradients import EpochGradients
    from smec.batches import Batch, BatchSampler
    from smec.joint import plan_of
    from smec.objective import MatryoshkaObjective
    from smec.sides import Sides
    from smec.training import Trainer, training_device

    device = training_device()
    module = torch.nn.Module()
    weight = torch.nn.Parameter(torch.tensor(start, device=device))
    module.register_parameter("weight", weight)
    objective = MatryoshkaObjective(options, data.width, device)
    sampler = BatchSampler(data, options, seed, device)
    share = 1 / len(levels) if reduction == "mean" else 1.0
    seen: dict[int, EpochGradients] = {}

    def loss(batch: Batch, done: float) -> "Tensor":
        return objective(batch, Sides.shared(weight), levels) * share

    def measure(gradients: Mapping[str, "Tensor"], epoch: int) -> None:
        seen.setdefault(epoch, EpochGradients(data.width)).add(gradients["weight"].cpu().numpy())

    trainer = Trainer(
        module, loss, sampler, plan_of(options, epochs, len(data.queries)), validate=None, on_gradient=measure
    )
    history = trainer.run()
    return [_told(seen[epoch], mean) for epoch, mean in zip(sorted(seen), history.loss, strict=True)]


def _told(epoch: Any, loss: float) -> dict[str, float]:
    told = {"loss": loss}
    for prefix, measured in {"": epoch.mean(), "net_": epoch.net()}.items():
        told |= {f"{prefix}{name}": value for name, value in measured._asdict().items()}
        told[f"{prefix}half_ratio"] = measured.low / measured.high
    return told
