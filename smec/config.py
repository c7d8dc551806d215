"""The configuration of the workflow: every key, its default, and what must agree before anything runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from smec import backbones, datasets
from smec.backbones.model_files import is_hub_id, model_folder
from smec.compressors import method_named
from smec.errors import SmecError, nearest_name
from smec.settings import Distinct, Named, NonEmpty, Settings, validated

RESERVED = "average"
"""What the tables call the mean over all datasets."""

MINED = ("hard_negatives", "negative_pool")
"""Options that count mined negatives."""

Seed = Annotated[int, Field(ge=0)]


class Experiment(Settings):
    """A dataset embedded by a backbone, and the sizes to compress it to."""

    dataset: str = Field(description="A key of `datasets`.")
    backbone: str = Field(description="A key of `backbones`.")
    sizes: NonEmpty[int] = Field(
        description="Numbers of dimensions, decreasing; the first may be the backbone's own width."
    )

    @field_validator("sizes")
    @classmethod
    def _decreasing(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in sizes) or list(sizes) != sorted(set(sizes), reverse=True):
            raise ValueError("sizes must be positive and strictly decreasing, such as [384, 192, 96]")
        return sizes


class View(Settings):
    """A table and a figure: which methods are set beside each other."""

    title: str = Field(description="Heading of the table and the figure.")
    methods: Distinct[str] = Field(description="Keys of `methods`, in the order of the rows.")
    reference: str | None = Field(None, description="Method that is tested against the best of the others.")

    @model_validator(mode="after")
    def _reference_is_shown(self) -> "View":
        if self.reference is not None and self.reference not in self.methods:
            raise ValueError(f"the reference {self.reference!r} is not among the methods of the view")
        return self


class StoreSettings(Settings):
    """How vectors lie on disk."""

    shard_rows: int = Field(8192, ge=1, description="Rows of a shard; encoding resumes at the shard.")
    dtype: Literal["float32", "float16"] = Field("float32", description="Number format on disk; scores are float32.")


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
    views: Named[View] = Field(default_factory=dict, description="Tables and figures by name.")
    store: StoreSettings = StoreSettings()
    mined_negatives: int = Field(20, ge=0, description="Hard negatives mined per training query.")
    max_training_documents: int = Field(
        200_000, ge=1, description="Training and validation read at most about this many documents of a corpus."
    )
    search_block_rows: int = Field(16_384, ge=1, description="Documents scored at once; results do not depend on it.")
    train_gpus: int = Field(0, ge=0, description="GPUs that a training job asks for.")
    embed_gpus: int = Field(0, ge=0, description="GPUs that an embedding job asks for.")

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
        for name, view in self.views.items():
            for method in view.methods:
                _require(method, self.methods, "method", f"methods (asked for by views.{name})")
        return self

    @model_validator(mode="after")
    def _pairs_are_distinct(self) -> "Config":
        pairs = [(e.dataset, e.backbone) for e in self.experiments]
        if len(set(pairs)) < len(pairs):
            raise ValueError("two experiments share a dataset and a backbone; give each pair once, with all its sizes")
        return self

    def method_of(self, run: str) -> str:
        """Return the name of the method behind an entry of `methods`."""
        return str(self.methods[run].get("method", run))

    def options_of(self, run: str) -> dict[str, Any]:
        """Return the resolved options of an entry of `methods`, every default filled in.

        The shared `training` values apply where the method has such an option; the entry's own values win.

        Raises:
            SmecError: the method is unknown, or an option is unknown or out of range.
        """
        model = method_named(self.method_of(run)).Options
        shared = {key: value for key, value in self.training.items() if key in model.model_fields}
        own = {key: value for key, value in self.methods[run].items() if key != "method"}
        return validated(model, shared | own, f"methods.{run} in the configuration").model_dump(mode="json")

    def seeds_of(self, run: str) -> tuple[int, ...]:
        """Return the seeds to run; one is enough for a method that does not depend on it."""
        return self.seeds if method_named(self.method_of(run)).seeded else self.seeds[:1]

    def experiment(self, dataset: str, backbone: str) -> Experiment:
        """Return the experiment of that pair."""
        return next(e for e in self.experiments if (e.dataset, e.backbone) == (dataset, backbone))


def load(values: Mapping[str, Any]) -> Config:
    """Check a configuration as a whole, before anything runs.

    Raises:
        SmecError: names the key at fault, what was given and the nearest valid name.
    """
    config = validated(Config, values, "The configuration")
    for name, settings in config.datasets.items():
        _within(f"datasets.{name}", datasets.parse, settings)
    for name, settings in config.backbones.items():
        _within(f"backbones.{name}", backbones.parse, settings)
    for experiment in config.experiments:
        _check_sources(config, experiment.dataset)
        _check_model(config, experiment.backbone)
        _check_pair(config, experiment)
        _check_sizes(config, experiment)
    for name in config.methods:
        _check_mined(config, name)
    _check_shared(config)
    return config


def _check_sources(config: Config, dataset: str) -> None:
    settings = datasets.parse(config.datasets[dataset])
    if not settings.test_fraction:
        raise SmecError(
            f"datasets.{dataset}.test_fraction in the configuration is 0, so no query would be left to score on. Give "
            "a share above 0; it is unused where the set has test judgements of its own."
        )
    for key, value in settings:
        if isinstance(value, Path) and not value.exists():
            raise SmecError(
                f"datasets.{dataset}.{key} in the configuration names {value}, which does not exist. Correct the path "
                "(it is relative to the folder where the workflow runs), or put the data there."
            )


def _check_model(config: Config, backbone: str) -> None:
    model = getattr(backbones.parse(config.backbones[backbone]), "model", None)
    if isinstance(model, str) and not is_hub_id(model):
        try:
            model_folder(model)
        except SmecError as error:
            raise SmecError(f"backbones.{backbone}.model: {error}") from error


def _check_pair(config: Config, experiment: Experiment) -> None:
    dataset, backbone = (
        datasets.parse(config.datasets[experiment.dataset]),
        backbones.parse(config.backbones[experiment.backbone]),
    )
    if dataset.brings_vectors == backbone.reads_vectors:
        return
    pair = (
        f"The experiment on {experiment.dataset} with {experiment.backbone} cannot run: datasets.{experiment.dataset}"
    )
    if dataset.brings_vectors:
        told = "brings vectors and no text, which the backbone would encode. Use a backbone of kind 'precomputed'."
    else:
        told = "brings no vectors, which the backbone would read. Use a backbone that encodes text."
    raise SmecError(f"{pair} {told}")


def _check_mined(config: Config, run: str) -> None:
    options = config.options_of(run)
    for key in MINED:
        given = "methods." + run if key in config.methods[run] else "training" if key in config.training else None
        asked = options.get(key, 0)
        # A pool is cut to what is mined, so its default may exceed a lowered number; what is set must be had.
        if asked > config.mined_negatives and (given or key == "hard_negatives"):
            place = f"{given}.{key}" if given else f"The default of methods.{run}.{key}"
            raise SmecError(
                f"{place} is {asked}, but only {config.mined_negatives} negatives are mined per query. Set "
                f"mined_negatives to {asked} or more, or lower {key}."
            )


def _check_sizes(config: Config, experiment: Experiment) -> None:
    where = f"backbones.{experiment.backbone}"
    width = backbones.parse(config.backbones[experiment.backbone]).dim
    if experiment.sizes[0] > width:
        raise SmecError(
            f"The experiment on {experiment.dataset} asks for {experiment.sizes[0]} dimensions, but {where} has "
            f"{width}. Remove the sizes above the backbone's width."
        )
    if experiment.sizes == (width,):
        raise SmecError(
            f"The experiment on {experiment.dataset} asks for {width} dimensions only, the width of {where}, so there "
            "is nothing to compress. Add smaller sizes."
        )


def _check_shared(config: Config) -> None:
    known = {key for name in config.methods for key in method_named(config.method_of(name)).Options.model_fields}
    for key in config.training:
        if key not in known:
            raise SmecError(f"training.{key} is an option of no configured method. {nearest_name(key, known)}")


def _within(where: str, parse: Callable[[Mapping[str, Any]], Settings], values: Mapping[str, Any]) -> None:
    try:
        parse(values)
    except SmecError as error:
        raise SmecError(f"{where}: {error}") from error


def _require(name: str, known: Mapping[str, Any], what: str, where: str) -> None:
    if name not in known:
        raise ValueError(f"there is no {what} {name!r} in {where}. {nearest_name(name, known)}")
