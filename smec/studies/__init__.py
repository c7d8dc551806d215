"""Ablations and analyses, one file per kind (see `smec.studies.base`).

A new kind is a module here, with a subclass of `StudySettings` whose `kind: Literal["name"] = "name"` and a function
`analyse(job) -> DataFrame`, and a module of the same name in `smec.reporting.studies` with `render(frame, settings)`.
Nothing else has to be edited.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smec.discovery import settings_by_kind
from smec.errors import SmecError, nearest_name
from smec.settings import validated
from smec.studies.base import StudyJob, StudySettings

if TYPE_CHECKING:
    import pandas as pd

SETTINGS: dict[str, type[StudySettings]] = settings_by_kind(
    sys.modules[__name__],
    StudySettings,
)


def parse(values: Mapping[str, Any]) -> StudySettings:
    """Return validated settings for the kind that `values["kind"]` names; a key that is null has its default.

    Raises:
        SmecError: the kind is unknown or a value does not fit.
    """
    kind = str(values.get("kind", ""))
    if kind not in SETTINGS:
        raise SmecError(f"The study kind {kind!r} is unknown. {nearest_name(kind, SETTINGS)}")
    given = {key: value for key, value in values.items() if value is not None}
    return validated(SETTINGS[kind], given, f"The study of kind {kind!r}")


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Measure: one tidy frame."""
    frame: pd.DataFrame = importlib.import_module(type(job.settings).__module__).analyse(job)
    return frame
