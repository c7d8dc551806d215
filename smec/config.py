"""The configuration of the workflow: every key, its default, and what must agree before anything runs."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from smec.compressors import method_named
from smec.errors import SmecError, nearest_name
from smec.experiments import Experiment, Seed, View
from smec.modality import Task
from smec.plan.settings import PlanSettings
from smec.runs import RunName, parse
from smec.settings import Distinct, Named, NonEmpty, Settings, validated

if TYPE_CHECKING:
    from smec.studies.base import StudySettings

RESERVED = "average"
"""What the tables call the mean over all datasets."""

FULL = "full"
"""The scale at which a configuration is taken as it is written."""

NAMED = {"datasets", "backbones", "methods", "views", "studies"}
"""Sections whose entries have names."""


class StoreSettings(Settings):
    """How vectors lie on disk."""

    shard_rows: int = Field(8192, ge=1, description="Rows of a shard; encoding resumes at the shard.")
    dtype: Literal["float32", "float16"] = Field("float32", description="Number format on disk; scores are float32.")


class VectorSettings(Settings):
    """Where the vectors that a job trains on are put."""

    memory_mb: int = Field(
        3000,
        ge=0,
        description="MB that they take in memory at most; more lie in a file while the job runs. "
        "A teacher takes as much again.",
    )
    folder: str | None = Field(
        None, description="Folder of such files, best on a disk of the machine that trains; null: beside the result."
    )


class Config(Settings):
    """The whole configuration."""

    datasets: Named[dict[str, Any]] = Field(description="Name and settings of each dataset; `kind` says which.")
    backbones: Named[dict[str, Any]] = Field(description="Name and settings of each backbone.")
    experiments: NonEmpty[Experiment] = Field(description="What is compressed.")
    methods: Named[dict[str, Any]] = Field(
        description="Name and options of each run; `method` names the method where it is not the name itself."
    )
    training: dict[str, Any] = Field(
        default_factory=dict, description="Options for every learned method unless it sets its own: the shared budget."
    )
    seeds: Distinct[Seed] = Field((0, 1, 2), description="Seeds of the methods that depend on one.")
    views: Named[View] = Field(default_factory=dict, description="Tables and figures of quality over sizes, by name.")
    studies: Named[dict[str, Any]] = Field(
        default_factory=dict, description="Ablations and analyses by name; `kind` says which."
    )
    scale: str = Field(FULL, description="`full`: as written; else a key of `scales`, such as `smoke`.")
    scales: Named[dict[str, Any]] = Field(
        default_factory=dict,
        description="By name, values that stand in for those above: of a section with named entries, whole entries.",
    )
    store: StoreSettings = StoreSettings()
    mined_negatives: int = Field(20, ge=0, description="Hard negatives mined per training query.")
    max_training_documents: int = Field(
        200_000, ge=1, description="Training and validation read at most about this many documents of a corpus."
    )
    training_vectors: VectorSettings = Field(
        VectorSettings(), description="Where the vectors that a job trains on are put; results do not depend on it."
    )
    search_block_rows: int = Field(16_384, ge=1, description="Documents scored at once; results do not depend on it.")
    train_gpus: int = Field(0, ge=0, description="GPUs that a training job asks for.")
    embed_gpus: int = Field(0, ge=0, description="GPUs that an embedding job asks for.")
    forked: tuple[Literal["fit", "encode"], ...] = Field(
        ("fit",),
        description="Jobs of one thread that are forked from a process with their libraries loaded, on one Linux "
        "machine: `fit` mines, trains and evaluates, `encode` embeds. What Snakemake measures of a forked job is only "
        "its time.",
    )
    plan: PlanSettings = Field(PlanSettings(), description="Rates of `smec plan`, and what is looked at before a run.")

    @field_validator("datasets")
    @classmethod
    def _not_reserved(cls, named: dict[str, Any]) -> dict[str, Any]:
        if RESERVED in named:
            raise ValueError(f"the name {RESERVED!r} stands for the mean over all datasets in tables; choose another")
        return named

    @model_validator(mode="after")
    def _names_agree(self) -> "Config":
        for experiment in self.experiments:
            _require(experiment.dataset, self.datasets, "dataset", "datasets")
            _require(experiment.backbone, self.backbones, "backbone", "backbones")
        for name in self.views.keys() & self.studies.keys():
            raise ValueError(f"{name!r} names a view and a study; their tables would overwrite each other")
        return self

    @model_validator(mode="after")
    def _pairs_are_distinct(self) -> "Config":
        pairs = [(e.dataset, e.backbone) for e in self.experiments]
        if len(set(pairs)) < len(pairs):
            raise ValueError("two experiments share a dataset and a backbone; give each pair once, with all its sizes")
        return self

    def run(self, name: str) -> RunName:
        """Take a run name apart and return it with every changed option as the method resolves it.

        Raises:
            SmecError: the entry or a dataset is unknown, or an option is unknown or out of range.
        """
        found = parse(name)
        if found.entry not in self.methods:
            raise SmecError(f"There is no method {found.entry!r} in methods. {nearest_name(found.entry, self.methods)}")
        for dataset in found.data:
            if dataset not in self.datasets:
                raise SmecError(f"{name!r}: no dataset {dataset!r} in datasets. {nearest_name(dataset, self.datasets)}")
        resolved = self._resolved(found)
        return RunName(found.entry, {key: resolved[key] for key in found.changes}, found.labels, found.data)

    def canonical(self, name: str) -> str:
        """Return the one name of a run: that of an entry where its options are those of the entry.

        So `smec,memory_size=5000` is `smec` where 5000 is the default, and is trained once.
        """
        found = self.run(name)
        if found.changes:
            method, options = self.method_of(name), self._resolved(found)
            same = [entry for entry in self.methods if self.method_of(entry) == method]
            equal = [entry for entry in same if self._resolved(RunName(entry)) == options]
            if equal:
                found = RunName(equal[0], {}, found.labels, found.data)
        return str(found)

    def method_of(self, run: str) -> str:
        """Return the name of the method behind a run."""
        entry = parse(run).entry
        return str(self.methods[entry].get("method", entry))

    def options_of(self, run: str) -> dict[str, Any]:
        """Return the resolved options of a run, every default filled in.

        The shared `training` values apply where the method has such an option; those of the entry win over them, and
        those of the run's name over both.

        Raises:
            SmecError: the method is unknown, or an option is unknown or out of range.
        """
        return self._resolved(parse(run))

    def _resolved(self, run: RunName) -> dict[str, Any]:
        model = method_named(self.method_of(run.entry)).Options
        shared = {key: value for key, value in self.training.items() if key in model.model_fields}
        own = {key: value for key, value in self.methods[run.entry].items() if key != "method"}
        where = f"The run {run}" if run.changes else f"methods.{run.entry} in the configuration"
        return validated(model, shared | own | dict(run.changes), where).model_dump(mode="json")

    def seeds_of(
        self, run: str, experiment: Experiment | None = None, seeds: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """Return the seeds to run; one is enough for a method that does not depend on it.

        Args:
            run: name of the run.
            experiment: what a view shows, which may have seeds of its own.
            seeds: those of a study.
        """
        here = (experiment.seeds if experiment else None) or self.seeds
        return (seeds or here) if method_named(self.method_of(run)).seeded else here[:1]

    def experiments_of(self, shown: "View | StudySettings") -> tuple[Experiment, ...]:
        """Return the experiments that a view or a study shows: of its datasets and tasks, else all main ones."""
        tasks = shown.tasks if isinstance(shown, View) else None
        chosen = (
            [e for name in shown.datasets for e in self.experiments if e.dataset == name]
            if shown.datasets
            else [e for e in self.experiments if e.main or tasks]
        )
        return tuple(
            e
            for e in chosen
            if (shown.backbones is None or e.backbone in shown.backbones)
            and (tasks is None or self.searched(e.dataset) in tasks)
        )

    def searched(self, dataset: str) -> Task:
        """Return what is looked up in what on a dataset."""
        from smec import datasets

        return datasets.parse(self.datasets[dataset]).searched()

    def groups_of(self, experiments: Iterable[Experiment]) -> dict[str, str]:
        """Return, for each dataset that is a part of a larger one, the name of that one."""
        from smec import datasets

        groups = {e.dataset: datasets.parse(self.datasets[e.dataset]).group for e in experiments}
        return {dataset: group for dataset, group in groups.items() if group}

    def experiment(self, dataset: str, backbone: str) -> Experiment:
        """Return the experiment of that pair."""
        return next(e for e in self.experiments if (e.dataset, e.backbone) == (dataset, backbone))


def load(values: Mapping[str, Any]) -> Config:
    """Check a configuration as a whole, before anything runs.

    Raises:
        SmecError: names the key at fault, what was given and the nearest valid name.
    """
    from smec.config_checks import check

    config = validated(Config, _at_scale(_without_nulls(values)), "The configuration")
    check(config)
    shown = {name: view for name, view in config.views.items() if config.experiments_of(view)}
    return config.model_copy(update={"views": shown})


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out named entries that are null, with which an overlay takes away what lies below it."""
    return {
        key: {name: entry for name, entry in value.items() if entry is not None} if key in NAMED else value
        for key, value in values.items()
    }


def _at_scale(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the values of the chosen scale in the place of those that are there."""
    scale, scales = values.get("scale", FULL), values.get("scales", {})
    if scale == FULL or not isinstance(scales, Mapping):
        return values
    if scale not in scales:
        raise SmecError(f"There is no scale {scale!r} in scales. {nearest_name(str(scale), [FULL, *scales])}")
    chosen = dict(scales[scale])
    for key in NAMED & chosen.keys():
        chosen[key] = {**values.get(key, {}), **chosen[key]}
    return {**values, **chosen}


def _require(name: str, known: Mapping[str, Any], what: str, where: str) -> None:
    if name not in known:
        raise ValueError(f"there is no {what} {name!r} in {where}. {nearest_name(name, known)}")
