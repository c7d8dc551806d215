"""An `open_clip_config.json`: whether it is one, and whether open_clip knows its keys; nothing is built.

open_clip's own code is read and not imported, because that would load torch.
"""

import ast
import importlib.util
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from smec.errors import SmecError, nearest_name
from smec.files import read_json

TOWERS = {"vision_cfg": "CLIPVisionCfg", "text_cfg": "CLIPTextCfg"}
"""Keys of `model_cfg`, each with the class of open_clip that its own keys are fields of."""
OF_THE_HUB = ("hf_model_name", "hf_tokenizer_name")
TOKENIZER_OPTIONS = ("additional_special_tokens", "clean")
"""What `tokenizer_kwargs` may say: not `reduction_mask`, which draws the words of a caption at random each time."""
TOKENS = 49408
"""Of that tokenizer, without additional ones."""


def model_config(content: Any, file: Path) -> dict[str, Any]:
    """Return `model_cfg` of a parsed `open_clip_config.json`, whose towers have only keys that open_clip knows.

    Raises:
        SmecError: it is missing or no mapping, or a tower lacks, or has an unknown key.
    """
    config = content.get("model_cfg") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise SmecError(
            f"{file} has no 'model_cfg' that is a mapping. It must be an open_clip_config.json, as open_clip's "
            "save_for_hf writes it."
        )
    for tower, fields in TOWERS.items():
        if not isinstance(config.get(tower), dict):
            raise SmecError(f"{file} has no '{tower}' that is a mapping in its 'model_cfg'. Correct it.")
        _check_keys(config[tower], _known_keys("model.py", fields), f"model_cfg.{tower}", file)
    return config


def trainable_config(file: Path) -> dict[str, Any]:
    """Return `model_cfg` of a file that says what is to be trained.

    Raises:
        SmecError: as `model_config`; or there is a key that open_clip does not know, something comes from the hub, the
            images have two sizes, or there are too few tokens.
    """
    content = read_json(file, made_by_user=True)
    config = model_config(content, file)
    _check_keys(config, _known_keys("model.py", "CLIP"), "model_cfg", file)
    for key in OF_THE_HUB:
        if config["text_cfg"].get(key):
            raise SmecError(
                f"{file} has the key {key!r} in model_cfg.text_cfg, which comes from the hub. A CLIP that is trained "
                "here has open_clip's own text tower and tokenizer: remove the key."
            )
    _check_tokens(config["text_cfg"], file)
    _check_images(config["vision_cfg"], content.get("preprocess_cfg", {}), file)
    return config


def _check_tokens(text: Mapping[str, Any], file: Path) -> None:
    options = text.get("tokenizer_kwargs", {})
    if not isinstance(options, dict):
        raise SmecError(f"'tokenizer_kwargs' in model_cfg.text_cfg of {file} is no mapping. Correct or remove it.")
    for key in options:
        if key not in TOKENIZER_OPTIONS:
            raise SmecError(
                f"'tokenizer_kwargs' in model_cfg.text_cfg of {file} has the key {key!r}, which cannot be used here. "
                f"{nearest_name(key, TOKENIZER_OPTIONS)}"
            )
    special = options.get("additional_special_tokens") or []
    if not isinstance(special, list):
        raise SmecError(
            f"'additional_special_tokens' in model_cfg.text_cfg of {file} is no list. Correct or remove it."
        )
    needed = TOKENS + len(special)
    given = text.get("vocab_size", TOKENS)
    if not isinstance(given, int) or given < needed:
        raise SmecError(
            f"model_cfg.text_cfg of {file} says a vocab_size of {given}, but the tokenizer has {needed} tokens. Set "
            f"vocab_size: {needed}."
        )


def _check_images(vision: Mapping[str, Any], preprocess: Any, file: Path) -> None:
    if not isinstance(preprocess, dict):
        raise SmecError(f"'preprocess_cfg' of {file} is no mapping. Correct or remove it.")
    _check_keys(preprocess, _known_keys("transform.py", "PreprocessCfg"), "preprocess_cfg", file)
    size, asked = vision.get("image_size"), preprocess.get("size")
    if asked is not None and size is None:
        raise SmecError(
            f"preprocess_cfg of {file} makes images of the size {asked}, but model_cfg.vision_cfg leaves its "
            "image_size to open_clip's default. Say both, or remove 'size'."
        )
    if asked is not None and _sides(asked) != _sides(size):
        raise SmecError(
            f"preprocess_cfg of {file} makes images of the size {asked}, but model_cfg.vision_cfg takes images of "
            f"the image_size {size}. Remove 'size', or make the two equal."
        )


def _sides(size: Any) -> Any:
    return tuple(size) if isinstance(size, list) else (size, size)


def _check_keys(values: Mapping[str, Any], known: Collection[str], where: str, file: Path) -> None:
    for key in values:
        if known and key not in known:
            raise SmecError(f"open_clip does not know the key {key!r} in {where} of {file}. {nearest_name(key, known)}")


@cache
def _known_keys(module: str, name: str) -> frozenset[str]:
    """Return fields and arguments of a class of open_clip; none where it is not found, so that nothing is refused."""
    spec = importlib.util.find_spec("open_clip")
    files = [Path(place) / module for place in (spec.submodule_search_locations or [])] if spec else []
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return frozenset(key for node in found for statement in node.body for key in _declared(statement))


def _declared(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
        return [argument.arg for argument in statement.args.args[1:]]
    return []
