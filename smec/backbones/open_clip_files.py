"""Which files make an open_clip model: found, downloaded, told apart; the library is only imported where it must be."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smec.backbones.model_files import files_sha256
from smec.backbones.open_clip_models import HUB, WEIGHTS, architectures, check_folder, is_folder, pretrained_entry
from smec.errors import SmecError
from smec.files import sha256_of_file, sha256_of_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from smec.backbones.open_clip import OpenClipSettings

FOLDER = "local-dir:"
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
