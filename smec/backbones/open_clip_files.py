"""Which files make an open_clip model, and whether they fit; the library is only imported where it must be."""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smec.backbones.model_files import files_sha256
from smec.errors import SmecError, nearest_name
from smec.files import read_json, sha256_of_file, sha256_of_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from smec.backbones.open_clip import OpenClipSettings

HUB = "hf-hub:"
FOLDER = "local-dir:"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


@dataclass(frozen=True)
class ClipFiles:
    """A model that is on this machine.

    Attributes:
        name: what open_clip calls it: an architecture, or `local-dir:` and a folder.
        weights: the file of its weights.
        preprocess: what the weights ask of the images, where it is not in the folder.
        sha256: of everything that can change a vector.
    """

    name: str
    weights: Path
    sha256: str
    preprocess: dict[str, Any] = field(default_factory=dict)

    @property
    def checkpoint(self) -> str | None:
        """The weights as open_clip is told of them: not at all where they lie in its folder."""
        return None if self.name.startswith(FOLDER) else str(self.weights)


def architectures() -> dict[str, Path]:
    """Return the architectures of the installed open_clip by name, each with its JSON file."""
    spec = importlib.util.find_spec("open_clip")
    folders = [Path(place) / "model_configs" for place in (spec.submodule_search_locations or [])] if spec else []
    return {path.stem: path for folder in folders for path in folder.glob("*.json")}


def is_folder(model: str) -> bool:
    """Say whether `model` is a local folder: it begins with `.`, `/` or `~`."""
    return model.startswith((".", "/", "~"))


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
    """Look whether a local folder has a configuration, weights and vectors of the right length.

    Raises:
        SmecError: names what is missing or differs.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise SmecError(f"The folder {model} of the backbone does not exist. Correct `model`, or put the model there.")
    content = read_json(folder / CONFIG) if (folder / CONFIG).exists() else None
    if not isinstance(content, dict) or "model_cfg" not in content:
        raise SmecError(
            f"{folder / CONFIG} is missing or has no 'model_cfg', so the architecture is not known. open_clip's "
            "save_for_hf writes it beside the weights."
        )
    if not any((folder / name).exists() for name in WEIGHTS):
        raise SmecError(f"{folder} holds none of {', '.join(WEIGHTS)}. Save the weights there as safetensors.")
    check_width(content["model_cfg"], dim, model)


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


def resolve(settings: "OpenClipSettings") -> ClipFiles:
    """Find or download the files of a model.

    Raises:
        SmecError: a file is missing, the tag is unknown or does not fit the architecture, or the download fails.
    """
    if is_folder(settings.model):
        return _in_folder(Path(settings.model).expanduser())
    if settings.model.startswith(HUB):
        folder = _snapshot(settings)
        check_folder(str(folder), settings.dim)
        return _in_folder(folder)
    if settings.checkpoint is not None:
        return ClipFiles(settings.model, settings.checkpoint, _digest(settings.model, settings.checkpoint, {}))
    return _tagged(settings)


def differences(files: ClipFiles) -> list[str]:
    """Say which tensors of a safetensors file are not those of the architecture; nothing of a file that is damaged."""
    import open_clip
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(files.weights, "pt") as weights:
            found = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return []
    model = open_clip.create_model(files.name, load_weights=False)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    both = [name for name in wanted if name in found]
    told = [f"{name} is {found[name]}, wanted {wanted[name]}" for name in both if found[name] != wanted[name]]
    told += [f"{name} is missing" for name in wanted if name not in found]
    return told + [f"{name} has no place" for name in found if name not in wanted]


def hub_tokenizer(files: ClipFiles) -> str | None:
    """Return the hub id of the tokenizer where open_clip fetches one; None where it brings it, or a folder holds it."""
    if files.name.startswith(FOLDER):
        return None
    architecture = json.loads(architectures()[files.name].read_text(encoding="utf-8"))
    return architecture.get("text_cfg", {}).get("hf_tokenizer_name") or None


def tokenizer(files: ClipFiles) -> "Callable[[list[str]], torch.Tensor]":
    """Load what makes int64 (n, context length) of n texts.

    Raises:
        SmecError: the folder of the model lacks it, or the hub that it comes from cannot be reached.
    """
    import open_clip

    try:
        found: Callable[[list[str]], torch.Tensor] = open_clip.get_tokenizer(files.name)
    # As in `_snapshot`.
    except Exception as error:
        raise SmecError(_without_tokenizer(files, _reason(error))) from error
    return found


def _without_tokenizer(files: ClipFiles, reason: str) -> str:
    name = hub_tokenizer(files)
    if name is None:
        place = files.name.removeprefix(FOLDER)
        return (
            f"The tokenizer of the model {place!r} could not be loaded: {reason} Its weights are not at fault. Put the "
            "files of the tokenizer, such as tokenizer.json, beside them."
        )
    return (
        f"The tokenizer {name!r} of the model {files.name!r} could not be loaded: {reason} Its weights are not at "
        "fault: open_clip takes the tokenizer from the hub, wherever they are. Download it where there is a network, "
        f"by `hf download {name}`, and set HF_HOME to the folder of that cache."
    )


def _in_folder(folder: Path) -> ClipFiles:
    weights = next(folder / name for name in WEIGHTS if (folder / name).exists())
    return ClipFiles(f"{FOLDER}{folder}", weights, files_sha256(folder))


def _snapshot(settings: "OpenClipSettings") -> Path:
    from huggingface_hub import snapshot_download

    repository = settings.model.removeprefix(HUB)
    try:
        return Path(snapshot_download(repository, revision=settings.revision, allow_patterns=list(HUB_FILES)))
    # Network, hub and cache each raise errors of their own.
    except Exception as error:
        raise SmecError(_unreachable(f"{repository!r} at revision {settings.revision}", error)) from error


def _tagged(settings: "OpenClipSettings") -> ClipFiles:
    from open_clip import pretrained

    tag = str(settings.pretrained)
    entry = pretrained_entry(settings.model, tag, settings.revision)
    try:
        if settings.revision:
            repository, _, file = entry["hf_hub"].rpartition("/")
            found = pretrained.download_pretrained_from_hf(repository, file or None, revision=settings.revision)
        else:
            found = pretrained.download_pretrained(entry)
    # As above.
    except Exception as error:
        raise SmecError(_unreachable(f"{settings.model!r} with the weights {tag!r}", error)) from error
    asked = {key: entry[key] for key in ("mean", "std", "interpolation", "resize_mode") if entry.get(key)}
    return ClipFiles(settings.model, Path(found), _digest(settings.model, Path(found), asked), asked)


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


def _digest(model: str, checkpoint: Path, preprocess: dict[str, Any]) -> str:
    architecture = architectures()[model].read_text(encoding="utf-8")
    return sha256_of_json([architecture, sha256_of_file(checkpoint), preprocess])


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def _unreachable(what: str, error: Exception) -> str:
    return (
        f"The model {what} could not be downloaded: {_reason(error)} Check the name, the revision and the network; or "
        "download it elsewhere and give its folder as `model`, or its weights as `checkpoint`."
    )
