"""What open_clip calls a model, and whether that is known and fits; nothing is loaded or downloaded.

The library is only imported where it must be.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

from smec.backbones.clip_architecture import model_config
from smec.backbones.clip_header import check_weights
from smec.errors import SmecError, nearest_name
from smec.files import read_json

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")


def architectures() -> dict[str, Path]:
    """Return the architectures of the installed open_clip by name, each with its JSON file."""
    spec = importlib.util.find_spec("open_clip")
    folders = [Path(place) / "model_configs" for place in (spec.submodule_search_locations or [])] if spec else []
    return {path.stem: path for folder in folders for path in folder.glob("*.json")}


def is_folder(model: str) -> bool:
    """Say whether `model` is a local folder: it begins with `.`, `/` or `~`."""
    return model.startswith((".", "/", "~"))


def named_otherwise(model: str) -> str | None:
    """Say how a folder or a hub id that is written as the name of an architecture has to be written; None for others.

    Args:
        model: neither a folder nor a hub id as `is_folder` and `HUB` tell them.
    """
    if "/" not in model and not Path(model).is_dir():
        return None
    hub = f", a model of the hub as '{HUB}{model}' with `revision`" if model.count("/") == 1 else ""
    return f"a folder is written as './{model}'{hub}"


def check_architecture(model: str, dim: int) -> None:
    """Compare the name and the width of a built-in architecture with what open_clip ships.

    Raises:
        SmecError: open_clip has no such architecture, or its vectors have another length.
    """
    known = architectures()
    if not known:
        return
    if model not in known:
        raise SmecError(
            f"open_clip has no model {model!r}. {nearest_name(model, known)} A hub id begins with '{HUB}', a folder "
            "with './', '/' or '~'."
        )
    check_width(json.loads(known[model].read_text(encoding="utf-8")), dim, model)


def check_folder(model: str, dim: int) -> None:
    """Look whether a local folder has a configuration, weights that fit it and vectors of the right length.

    Raises:
        SmecError: names what is missing or differs.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise SmecError(f"The folder {model} of the backbone does not exist. Correct `model`, or put the model there.")
    file = folder / CONFIG
    if not file.exists():
        raise SmecError(
            f"{file} is missing, so the architecture is not known. open_clip's save_for_hf writes it beside the "
            "weights."
        )
    config = model_config(read_json(file, made_by_user=True), file)
    weights = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not weights:
        raise SmecError(f"{folder} holds none of {', '.join(WEIGHTS)}. Save the weights there as safetensors.")
    check_width(config, dim, model)
    check_weights(config, weights[0], model)


def check_checkpoint(model: str, checkpoint: Path) -> None:
    """Look whether the weights of a built-in architecture are there and fit it, as far as their header tells.

    Raises:
        SmecError: the file is missing or is of another architecture.
    """
    if not checkpoint.is_file():
        raise SmecError(f"The file {checkpoint} does not exist. Correct `checkpoint`.")
    known = architectures()
    if model in known:
        check_weights(json.loads(known[model].read_text(encoding="utf-8")), checkpoint, model)


def pretrained_entry(model: str, tag: str, revision: str | None) -> dict[str, Any]:
    """Return what open_clip knows of the weights `tag` of an architecture; this imports open_clip.

    Raises:
        SmecError: open_clip has no such weights, they were trained with another activation, or there is a `revision`
            and they are not on the hub.
    """
    from open_clip import pretrained

    entry: dict[str, Any] = pretrained.get_pretrained_cfg(model, tag)
    if not entry:
        tags = pretrained.list_pretrained_tags_by_model(model)
        raise SmecError(
            f"open_clip has no weights {tag!r} for the model {model!r}. {nearest_name(tag, tags)}"
            if tags
            else f"open_clip has no weights for the model {model!r}. Give a `checkpoint`."
        )
    _check_activation(model, tag, entry)
    if revision is not None and not entry.get("hf_hub"):
        raise SmecError(
            f"The weights {tag!r} of the model {model!r} do not come from the hub, so the revision {revision} says "
            "nothing of them. Leave `revision` out: the vectors are stored with the sha256 of the file."
        )
    return entry


def check_width(content: dict[str, Any], dim: int, model: str) -> None:
    """Raise `SmecError` when a model's configuration says another length of its vectors than `dim`."""
    width = content.get("embed_dim")
    if width != dim:
        raise SmecError(
            f"The model {model!r} gives vectors of {width} dimensions, but the backbone says {dim}. Set dim: {width}."
        )


def _check_activation(model: str, tag: str, entry: dict[str, Any]) -> None:
    """Refuse weights that were trained with another activation: open_clip only warns, and the vectors are poor."""
    architecture = json.loads(architectures()[model].read_text(encoding="utf-8"))
    trained, built = bool(entry.get("quick_gelu")), bool(architecture.get("quick_gelu"))
    if trained != built:
        other = f"{model}-quickgelu" if trained else model.removesuffix("-quickgelu")
        raise SmecError(
            f"The weights {tag!r} were trained with {'QuickGELU' if trained else 'GELU'}, which the model {model!r} "
            f"does not have. Set model: {other}."
        )
