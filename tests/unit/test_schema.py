"""config/schema.json: in step with the models, accepts every shipped configuration, refuses what they refuse."""

import difflib
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from smec.cli import app
from smec.schema import config_schema

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def validator():
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_shipped_schema_is_what_the_models_say(tmp_path):
    app(["schema", "--output", str(tmp_path / "schema.json")], standalone_mode=False)
    made = (tmp_path / "schema.json").read_text()
    shipped = (CONFIG / "schema.json").read_text()
    difference = difflib.unified_diff(shipped.splitlines(), made.splitlines(), "config/schema.json", "models", n=1)
    assert made == shipped, "\n".join(["config/schema.json is out of date: run `make schema`", *difference])


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_every_configuration_follows_it_and_names_it(validator, path):
    text = path.read_text()
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    assert text.startswith("# yaml-language-server: $schema=schema.json\n"), "so that an editor finds it"


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"seedz": [0]}, "'seedz'"),
        ({"seeds": ["a"]}, "'a'"),
        ({"methods": {"smec": {"alpa": 1}}}, "'alpa'"),
        ({"methods": {"mine": {"method": "smec", "alpa": 1}}}, "'alpa'"),
        ({"methods": {"mine": {"method": "smek"}}}, "'smek'"),
        ({"methods": {"smec": {"selection": "best"}}}, "'best'"),
        ({"training": {"epoch": 1}}, "'epoch'"),
        ({"datasets": {"mine": {"kind": "pydocs", "package": []}}}, "'package'"),
        ({"backbones": {"mine": {"kind": "sentence_transformers"}}}, "'sentence_transformers'"),
    ],
)
def test_a_mistake_is_found(validator, values, at):
    faults = [error.message for error in validator.iter_errors(values)]
    assert len(faults) == 1 and at in faults[0]


def test_every_key_is_described():
    def undescribed(schema, path):
        for name, value in schema.get("properties", {}).items():
            if "description" not in value and "$ref" not in value and "const" not in value:
                yield f"{path}.{name}"

    schema = config_schema()
    groups = {"": schema, **schema["$defs"]}
    assert [found for name, group in groups.items() for found in undescribed(group, name)] == []


def test_it_is_plain_json():
    assert json.loads(json.dumps(config_schema())) == config_schema()
