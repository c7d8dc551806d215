"""`smec plan`: what a run of the workflow would take, and what it lacks here, before anything starts."""

from collections.abc import Callable, Sequence
from pathlib import Path

from smec.plan.estimate import Estimate
from smec.plan.obstacles import obstacles, refuse
from smec.plan.planned import dry_run
from smec.plan.text import plan_text


def run(
    targets: Sequence[str], configfiles: Sequence[Path], overrides: Sequence[str], show: Callable[[str], None]
) -> None:
    """Show the plan, then refuse where something is missing.

    Args:
        targets: rules or files; none for the default.
        configfiles: laid over the configuration.
        overrides: key=value, as of Snakemake's `--config`.
        show: takes the text.

    Raises:
        SmecError: the workflow cannot be planned, or lacks something; the message lists all of it.
    """
    found = dry_run(targets, configfiles, overrides)
    show(plan_text(found.jobs, Estimate(found.config)))
    refuse(obstacles(found.config, found.jobs))
