"""The jobs of a run, as Snakemake itself plans them."""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smec.errors import SmecError
from smec.overlays import INHERITED, OVERLAYS

if TYPE_CHECKING:
    from smec.config import Config


@dataclass(frozen=True)
class PlannedJob:
    """A job that Snakemake would run.

    Attributes:
        rule: its name.
        wildcards: their values.
        spec: what the job is told, as it is told; empty for rules without a description.
        gpus: that it asks for.
    """

    rule: str
    wildcards: Mapping[str, str]
    spec: Mapping[str, Any]
    gpus: int


@dataclass(frozen=True)
class DryRun:
    """The checked configuration, and the jobs that are left to do."""

    config: "Config"
    jobs: tuple[PlannedJob, ...]


def planned(jobs: Iterable[Any]) -> tuple[PlannedJob, ...]:
    """Return the jobs of a DAG of Snakemake, such as `workflow.dag.needrun_jobs()`, by rule and wildcards."""
    return tuple(sorted(map(_planned, jobs), key=lambda job: (job.rule, sorted(job.wildcards.items()))))


def dry_run(targets: Sequence[str], configfiles: Sequence[Path], overrides: Sequence[str]) -> DryRun:
    """Let Snakemake plan the workflow in the current folder; nothing is run and nothing is written.

    Args:
        targets: rules or files; none for the default.
        configfiles: laid over the configuration, in that order.
        overrides: key=value, as of Snakemake's `--config`.

    Raises:
        SmecError: there is no Snakefile here, the configuration is not valid, or a target is unknown.
    """
    if not Path("Snakefile").exists():
        raise SmecError("There is no Snakefile in this folder. Call `smec plan` in the folder of the workflow.")
    for path in configfiles:
        if not path.exists():
            raise SmecError(f"The configuration file {path} does not exist. Correct --configfile.")
    brought = [target for target in targets if target in OVERLAYS]
    if brought:
        os.environ[INHERITED] = brought[0]  # the Snakefile looks for its overlay there
    try:
        return _dry_run(targets, configfiles, overrides)
    finally:
        if brought:
            os.environ.pop(INHERITED, None)


def _dry_run(targets: Sequence[str], configfiles: Sequence[Path], overrides: Sequence[str]) -> DryRun:
    from snakemake.api import SnakemakeApi
    from snakemake.cli import parse_config
    from snakemake.exceptions import WorkflowError
    from snakemake.settings import types

    # With this pair a dry run ends once the jobs are known, before it goes through them one by one.
    output = types.OutputSettings(quiet={types.Quietness.RULES, types.Quietness.PROGRESS}, dryrun=True)
    logging.disable(logging.WARNING)
    try:
        given = parse_config(list(overrides))
        with SnakemakeApi(output) as api:
            workflow = api.workflow(
                resource_settings=types.ResourceSettings(cores=1),
                config_settings=types.ConfigSettings(config=given, configfiles=list(configfiles)),
            )
            # As in profiles/default: a job that was killed is to be done again.
            dag = workflow.dag(types.DAGSettings(targets=set(targets), force_incomplete=True))
            dag.execute_workflow(executor="dryrun")
            # There is no public way to the jobs of a DAG, only to their printed number.
            inside = workflow._workflow
            return DryRun(inside.globals["CONFIG"], planned(inside.dag.needrun_jobs()))
    except (WorkflowError, ValueError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise SmecError(f"Snakemake cannot plan this: {told}") from error
    finally:
        logging.disable(logging.NOTSET)


def _planned(job: Any) -> PlannedJob:
    told = dict(job.params.items()).get("spec")
    return PlannedJob(
        rule=job.rule.name,
        wildcards=dict(job.wildcards_dict),
        spec=json.loads(told) if told else {},
        gpus=int(job.resources.get("gpu", 0) or 0),
    )
