"""A new kind is one new file: nothing else is edited."""

import importlib

from smec.datasets.base import DatasetSettings
from smec.discovery import settings_by_kind

MODULE = """
from typing import Literal
from smec.datasets.base import DatasetSettings
from smec.datasets.pydocs import PydocsSettings

class NewSettings(DatasetSettings):
    kind: Literal["new"] = "new"

class Shared(DatasetSettings):
    pass
"""


def test_a_module_is_found_by_its_settings(tmp_path, monkeypatch):
    (tmp_path / "planted_kinds").mkdir()
    (tmp_path / "planted_kinds" / "__init__.py").write_text("")
    (tmp_path / "planted_kinds" / "new.py").write_text(MODULE)
    (tmp_path / "planted_kinds" / "helpers.py").write_text("VALUE = 1")
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module("planted_kinds")
    found = settings_by_kind(package, DatasetSettings)
    assert list(found) == ["new"]
    assert found["new"].__name__ == "NewSettings"
