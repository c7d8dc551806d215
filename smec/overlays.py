"""Overlays that a target of the workflow brings along, so that `snakemake analyses` needs no further option."""

import os
from collections.abc import Sequence

OVERLAYS = {
    "analyses": "config/analyses.yaml",
    "full_parameter": "config/full_parameter.yaml",
    "reproduce_paper": "config/paper.yaml",
}
INHERITED = "SMEC_TARGET"


def overlay_asked_for(words: Sequence[str]) -> str | None:
    """Return the configuration file of the target that is among the words of a command line, or None.

    The command line is read because rules are parsed before Snakemake tells its targets. A Snakemake that an executor
    starts for a single job has other targets; it inherits the choice through the environment.

    Args:
        words: of the command line.
    """
    target = next((word for word in words if word in OVERLAYS), os.environ.get(INHERITED))
    if target is None or target not in OVERLAYS:
        return None
    os.environ[INHERITED] = target
    return OVERLAYS[target]
