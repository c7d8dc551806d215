"""Names of runs: an entry of `methods` in the configuration, or one with options changed.

    smec                                     the entry as it stands
    smec,alpha=0,selection=truncation        with other options
    smec,labels=0.05                         trained on 5 % of the labelled queries
    smec,data=pydocs+scifact                 trained on two datasets together, whatever it is scored on

So an ablation row, a sweep or a learning curve needs no entry of its own. A folder is named as its run, with `@` in the
place of each comma: a Snakemake that is told its job on the command line, as on the node of a cluster, would split the
name at commas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from smec.errors import SmecError

SEPARATOR, FOLDER_SEPARATOR, ASSIGNMENT, JOIN = ",", "@", "=", "+"
LABELS, DATA = "labels", "data"


@dataclass(frozen=True)
class RunName:
    """A run name, taken apart.

    Attributes:
        entry: key of `methods` in the configuration.
        changes: options that differ from those of the entry.
        labels: share of the labelled queries that the run may learn and choose from, in (0, 1].
        data: datasets that it is trained on; empty: the one that it is scored on.
    """

    entry: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    labels: float = 1.0
    data: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the name, equal for equal runs: options in alphabetical order, then what belongs to the run."""
        parts = [self.entry, *(f"{key}{ASSIGNMENT}{_scalar(self.changes[key])}" for key in sorted(self.changes))]
        parts += [f"{LABELS}{ASSIGNMENT}{_scalar(self.labels)}"] if self.labels != 1 else []
        parts += [f"{DATA}{ASSIGNMENT}{JOIN.join(self.data)}"] if self.data else []
        return SEPARATOR.join(parts)

    def without_data(self) -> "RunName":
        """Return the same run without the datasets that it is trained on, as its folder is named."""
        return replace(self, data=())


def parse(name: str) -> RunName:
    """Take a run name, or the name of its folder, apart.

    Raises:
        SmecError: a part is not `key=value`, a key is given twice, or `labels` is not a share.
    """
    entry, *parts = name_of(name).split(SEPARATOR)
    changes: dict[str, Any] = {}
    for part in parts:
        key, assigned, value = part.partition(ASSIGNMENT)
        if not (entry and key and assigned and value) or key in changes:
            raise SmecError(
                f"{name!r} is not the name of a run: {part!r} has to be key=value, each key once. Write an entry of "
                "`methods`, followed by options where they differ, such as smec,alpha=0,selection=truncation."
            )
        changes[key] = value if key == DATA else yaml.safe_load(value)
    labels = changes.pop(LABELS, 1.0)
    if isinstance(labels, bool) or not isinstance(labels, int | float) or not 0 < labels <= 1:
        raise SmecError(
            f"{name!r}: labels is the share of the labelled queries, above 0 and at most 1, not {labels!r}."
        )
    data = tuple(changes.pop(DATA, "").split(JOIN)) if DATA in changes else ()
    return RunName(entry, changes, float(labels), data)


def folder_of(name: str) -> str:
    """Return how the folder of a run is named."""
    return name.replace(SEPARATOR, FOLDER_SEPARATOR)


def name_of(folder: str) -> str:
    """Return the run that a folder is named after."""
    return folder.replace(FOLDER_SEPARATOR, SEPARATOR)


def entry_of(name: str) -> str:
    """Return the entry of `methods` that a run name starts with."""
    return name.split(SEPARATOR, 1)[0]


def _scalar(value: Any) -> str:
    """Return a value as YAML writes it on one line, whole numbers without a fraction."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip())
