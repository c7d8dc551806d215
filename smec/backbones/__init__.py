"""Backbones: one file per kind. Loading one may import heavy libraries; importing this package does not.

A new kind is one module in this package: a subclass of `BackboneSettings` with `kind: Literal["name"] = "name"` and a
function `load(settings) -> Backbone`. Nothing else has to be edited.
"""

import sys
from collections.abc import Mapping
from typing import Any

from smec.backbones.base import Backbone, BackboneSettings
from smec.discovery import settings_by_kind
from smec.errors import SmecError, nearest_name
from smec.settings import validated

SETTINGS: dict[str, type[BackboneSettings]] = settings_by_kind(sys.modules[__name__], BackboneSettings)


def parse(values: Mapping[str, Any]) -> BackboneSettings:
    """Return validated settings for the kind that `values["kind"]` names.

    Raises:
        SmecError: the kind is unknown or a value does not fit.
    """
    kind = str(values.get("kind", ""))
    if kind not in SETTINGS:
        raise SmecError(f"The backbone kind {kind!r} is unknown. {nearest_name(kind, SETTINGS)}")
    return validated(SETTINGS[kind], dict(values), f"The backbone of kind {kind!r}")


def load(settings: BackboneSettings | Mapping[str, Any]) -> Backbone:
    """Load the backbone that `settings` describe.

    Raises:
        SmecError: the kind is unknown, or the model is missing, altered or unreachable.
    """
    checked = settings if isinstance(settings, BackboneSettings) else parse(settings)
    kind = str(getattr(checked, "kind", ""))
    if kind not in SETTINGS:
        raise SmecError(f"The backbone kind {kind!r} is unknown. {nearest_name(kind, SETTINGS)}")
    backbone: Backbone = sys.modules[SETTINGS[kind].__module__].load(checked)
    return backbone
