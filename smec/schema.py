"""The JSON schema of the configuration, made from the settings models, so that an editor completes and checks keys.

A configuration may be spread over several files, one laid over the other; the schema therefore requires no key of any
one file. What must be there, and what must agree, is checked by `smec.config.load` on the whole.
"""

from collections.abc import Mapping
from typing import Any

from smec import backbones, datasets, studies
from smec.compressors import method_named, method_names
from smec.config import NAMED, Config
from smec.settings import Settings

Schema = dict[str, Any]


def config_schema() -> Schema:
    """Return the schema of a configuration file."""
    options = {name: method_named(name).Options for name in method_names()}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    del schema["required"]
    keys, definitions = schema["properties"], schema["$defs"]
    keys["datasets"]["additionalProperties"] = _chosen_by("kind", "datasets", datasets.SETTINGS, definitions)
    keys["backbones"]["additionalProperties"] = _chosen_by("kind", "backbones", backbones.SETTINGS, definitions)
    keys["studies"]["additionalProperties"] = _chosen_by("kind", "studies", studies.SETTINGS, definitions)
    keys["methods"]["additionalProperties"] = _chosen_by("method", "methods", options, definitions)
    keys["methods"]["properties"] = {name: _or_null(_reference("methods", name)) for name in options}
    for key in NAMED:
        keys[key]["additionalProperties"] = _or_null(keys[key]["additionalProperties"])
    keys["training"]["properties"] = _shared(options)
    keys["training"]["additionalProperties"] = False
    return schema


def _chosen_by(key: str, group: str, models: Mapping[str, type[Settings]], definitions: Schema) -> Schema:
    """Define every model and return a schema that takes the one that the value of `key` names."""
    choices = []
    for name, model in sorted(models.items()):
        described = model.model_json_schema()
        described.pop("required", None)
        described["properties"][key] = {"const": name}
        definitions |= described.pop("$defs", {})
        definitions[f"{group}.{name}"] = described
        named = {"properties": {key: {"const": name}}, "required": [key]}
        choices.append({"if": named, "then": _reference(group, name)})
    return {"type": "object", "properties": {key: {"enum": sorted(models)}}, "allOf": choices}


def _reference(group: str, name: str) -> Schema:
    return {"$ref": f"#/$defs/{group}.{name}"}


def _or_null(schema: Schema) -> Schema:
    """Take null as well: with it an overlay takes an entry away."""
    return {"type": ["object", "null"], "if": {"type": "object"}, "then": schema}


def _shared(options: Mapping[str, type[Settings]]) -> Schema:
    """Return every option of every method, without defaults, which may differ between methods."""
    found: Schema = {}
    for model in options.values():
        for name, described in model.model_json_schema()["properties"].items():
            found.setdefault(name, {key: value for key, value in described.items() if key != "default"})
    return found
