"""What must agree in a configuration: told before anything runs, with the key at fault and what to do."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smec import backbones, datasets, studies
from smec.backbone_method import TRAINABLE, BackboneMethod
from smec.compressors import method_named
from smec.config import Config
from smec.datasets.reading import ROLES
from smec.errors import SmecError, nearest_name
from smec.experiments import Experiment, View
from smec.pretraining_checks import check_folders, check_unseen
from smec.runs import RunName, entry_of, parse
from smec.settings import Settings
from smec.studies.base import StudySettings

PRETRAINING = "text_to_image"
"""The task of a set that a CLIP is trained on."""
MINED = ("hard_negatives", "negative_pool")
"""Options that count mined negatives."""


def check(config: Config) -> None:
    """Check what the settings models cannot see: other files, and names and numbers of different sections.

    Raises:
        SmecError: names the key at fault.
    """
    for name, settings in config.datasets.items():
        _within(f"datasets.{name}", datasets.parse, settings)
    for name, settings in config.backbones.items():
        _within(f"backbones.{name}", backbones.parse, settings)
    for experiment in config.experiments:
        _check_sources(config, experiment.dataset)
        _check_model(config, experiment.backbone)
        _check_pair(config, experiment)
        _check_sizes(config, experiment)
        check_unseen(config, experiment)
    check_folders(config)
    _check_groups(config)
    _check_shared(config)
    for name in config.methods:
        _check_mined(config, name)
    for name, view in config.views.items():
        _check_shown(config, f"views.{name}", view, view.methods)
    for name, values in config.studies.items():
        _within(f"studies.{name}", studies.parse, values)
        study = studies.parse(values)
        _check_shown(config, f"studies.{name}", study, study.runs())


def _check_shown(config: Config, where: str, shown: View | StudySettings, runs: tuple[str, ...]) -> None:
    """Check the runs, datasets and backbones that a view or a study asks for."""
    for name in shown.datasets or ():
        _check_name(where, name, "experiment on", {e.dataset for e in config.experiments})
    for name in shown.backbones or ():
        _check_name(where, name, "experiment with", {e.backbone for e in config.experiments})
    if not config.experiments_of(shown) and not (isinstance(shown, View) and shown.tasks):
        raise SmecError(
            f"{where} shows no experiment: none has its datasets and its backbones together. Correct one of them."
        )
    for name in runs:
        try:
            run = config.run(name)
        except SmecError as error:
            raise SmecError(f"{where} in the configuration: {error}") from error
        _check_mined(config, name)
        for experiment in config.experiments_of(shown):
            _check_joint(config, where, run, experiment)
            _check_trainable(config, where, run, experiment)


def _check_name(where: str, name: str, what: str, known: set[str]) -> None:
    if name not in known:
        raise SmecError(f"{where}: there is no {what} {name!r}. {nearest_name(name, sorted(known))}")


def _check_joint(config: Config, where: str, run: RunName, experiment: Experiment) -> None:
    """A run that is trained elsewhere needs vectors of the same backbone there, and the same sizes."""
    for dataset in run.data:
        found = [e for e in config.experiments if (e.dataset, e.backbone) == (dataset, experiment.backbone)]
        if not found or found[0].sizes != experiment.sizes:
            raise SmecError(
                f"{where}: {run} is trained on {dataset} and scored on {experiment.dataset}, so there has to be an "
                f"experiment on {dataset} with the backbone {experiment.backbone} and the sizes "
                f"{list(experiment.sizes)}. Add it; `main: false` keeps it out of the other tables."
            )


def _check_trainable(config: Config, where: str, run: RunName, experiment: Experiment) -> None:
    """A run that trains the backbone needs one that can be trained, and is scored where it was trained."""
    if not isinstance(method_named(config.method_of(run.entry)), BackboneMethod):
        return
    kind = config.backbones[experiment.backbone].get("kind")
    if kind != TRAINABLE:
        raise SmecError(
            f"{where}: {run} trains the backbone, but {experiment.backbone} is of the kind {kind!r} and only "
            f"{TRAINABLE!r} can be trained. Name other `backbones`, or leave the run out."
        )
    if run.data:
        raise SmecError(f"{where}: {run} trains the backbone on the dataset that it is scored on; leave out `data=`.")


def _check_sources(config: Config, dataset: str) -> None:
    settings = datasets.parse(config.datasets[dataset])
    if not settings.test_fraction:
        raise SmecError(
            f"datasets.{dataset}.test_fraction in the configuration is 0, so no query would be left to score on. Give "
            "a share above 0; it is unused where the set has test judgements of its own."
        )
    for key, value in settings:
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and not path.exists():
                raise SmecError(
                    f"datasets.{dataset}.{key} in the configuration names {path}, which does not exist. Correct the "
                    "path (it is relative to the folder where the workflow runs), or put the data there."
                )


def _check_model(config: Config, backbone: str) -> None:
    settings = backbones.parse(config.backbones[backbone])
    try:
        settings.check()
    except SmecError as error:
        raise SmecError(f"backbones.{backbone}: {error}") from error
    if settings.trained_on is not None:
        _check_pretraining(config, f"backbones.{backbone}.dataset", settings.trained_on)


def _check_pretraining(config: Config, where: str, dataset: str) -> None:
    """Check what a model is trained on, which no experiment names."""
    if dataset not in config.datasets:
        near = nearest_name(dataset, config.datasets)
        raise SmecError(f"{where}: there is no dataset {dataset!r} in datasets. {near}")
    if config.searched(dataset) != PRETRAINING:
        raise SmecError(
            f"{where}: datasets.{dataset} is of the task {config.searched(dataset)!r}. A CLIP is trained on captions "
            f"and images; give it a set of the task {PRETRAINING!r}."
        )
    _check_sources(config, dataset)


def _check_pair(config: Config, experiment: Experiment) -> None:
    dataset = datasets.parse(config.datasets[experiment.dataset])
    backbone = backbones.parse(config.backbones[experiment.backbone])
    if experiment.embed_jobs > 1 and not backbone.shared_by_jobs:
        raise SmecError(
            f"The experiment on {experiment.dataset} with {experiment.backbone} says embed_jobs: "
            f"{experiment.embed_jobs}, but the pace and the ceiling of the cost of an API hold for one job. Remove "
            "embed_jobs; `concurrency` of the backbone says how many requests that job has under way."
        )
    for role in ROLES:
        told = backbone.refusal(role, dataset.modality(role))
        if told:
            pair = f"The experiment on {experiment.dataset} with {experiment.backbone} cannot run"
            raise SmecError(f"{pair}: datasets.{experiment.dataset} {told}")


def _check_mined(config: Config, run: str) -> None:
    options = config.options_of(run)
    for key in MINED:
        own = key in config.methods[entry_of(run)] or key in parse(run).changes
        given = f"methods.{run}" if own else "training" if key in config.training else None
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


def _check_groups(config: Config) -> None:
    """The mean over a group has the group's name in tables, which must not be that of a dataset too."""
    for part, group in config.groups_of(config.experiments).items():
        if group in config.datasets:
            raise SmecError(
                f"datasets.{group} in the configuration has the name of the set that {part} is a part of, and the mean "
                "over its parts goes by that name in tables. Rename it."
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
