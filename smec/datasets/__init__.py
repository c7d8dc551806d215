"""Datasets: one file per kind, all written in the same five files (see `smec.datasets.base`).

A new kind is one module in this package: a subclass of `DatasetSettings` with `kind: Literal["name"] = "name"` and a
function `load(settings, folder) -> Dataset` (`folder`: for further files, should the kind need some). Nothing else has
to be edited.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec.datasets.base import DatasetSettings, write
from smec.discovery import settings_by_kind
from smec.errors import SmecError, nearest_name
from smec.settings import validated

SETTINGS: dict[str, type[DatasetSettings]] = settings_by_kind(sys.modules[__name__], DatasetSettings)


def parse(values: Mapping[str, Any]) -> DatasetSettings:
    """Return validated settings for the kind that `values["kind"]` names.

    Raises:
        SmecError: the kind is unknown or a value does not fit.
    """
    kind = str(values.get("kind", ""))
    if kind not in SETTINGS:
        raise SmecError(f"The dataset kind {kind!r} is unknown. {nearest_name(kind, SETTINGS)}")
    return validated(SETTINGS[kind], dict(values), f"The dataset of kind {kind!r}")


def prepare(settings: DatasetSettings | Mapping[str, Any], folder: str | Path) -> None:
    """Build the dataset that `settings` describe and write its five files to `folder`.

    Raises:
        SmecError: the kind is unknown, the source is missing, or the data have a fault (see `base.write`).
    """
    checked = settings if isinstance(settings, DatasetSettings) else parse(settings)
    kind = str(getattr(checked, "kind", ""))
    if kind not in SETTINGS:
        raise SmecError(f"The dataset kind {kind!r} is unknown. {nearest_name(kind, SETTINGS)}")
    module = sys.modules[SETTINGS[kind].__module__]
    write(module.load(checked, Path(folder)), checked, Path(folder))
