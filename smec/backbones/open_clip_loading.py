"""A model of open_clip out of its files, or what is wrong with them."""

from typing import TYPE_CHECKING, Any

from smec.backbones.base import check_dim
from smec.backbones.clip_header import another_architecture
from smec.backbones.open_clip_files import FOLDER, ClipFiles
from smec.backbones.open_clip_models import CONFIG
from smec.errors import SmecError

if TYPE_CHECKING:
    from smec.backbones.open_clip import OpenClipSettings

CAST = {"float32": "fp32", "bfloat16": "bf16"}
LONGEST_REASON = 300


def loaded_model(settings: "OpenClipSettings", files: ClipFiles, device: str, precision: str) -> Any:
    """Return the model, ready to encode, and the transform of its images.

    Raises:
        SmecError: the weights are damaged or of another architecture, or open_clip cannot build the model.
    """
    import open_clip

    try:
        model = open_clip.create_model(
            files.name,
            files.checkpoint,
            precision=CAST[precision],
            device=device,
            force_preprocess_cfg=files.preprocess,
            require_pretrained=True,
        )
    # Loaders of third parties raise anything, from RuntimeError to a safetensors error of its own.
    except Exception as error:
        raise SmecError(_unloadable(settings, files, error)) from error
    model.eval()
    check_dim(int(getattr(model.visual, "output_dim", settings.dim)), settings, f"The model {settings.model!r}")
    preprocess = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    return model, open_clip.transform.image_transform_v2(preprocess, is_train=False)


def differences(files: ClipFiles) -> list[str]:
    """Say which tensors of a safetensors file are not those of the architecture; nothing of a file that is damaged.

    Raises:
        SmecError: open_clip cannot build the architecture.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(files.weights, "pt") as weights:
            found = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return []
    wanted = {name: tuple(tensor.shape) for name, tensor in _without_weights(files).state_dict().items()}
    both = [name for name in wanted if name in found]
    told = [f"{name} is {found[name]}, wanted {wanted[name]}" for name in both if found[name] != wanted[name]]
    told += [f"{name} is missing" for name in wanted if name not in found]
    return told + [f"{name} has no place" for name in found if name not in wanted]


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that a vector depends on."""
    import open_clip
    import torch
    import torchvision

    return {module.__name__: str(module.__version__) for module in (open_clip, torch, torchvision)}


def _without_weights(files: ClipFiles) -> Any:
    import open_clip

    try:
        return open_clip.create_model(files.name, load_weights=False)
    # open_clip's own checks are assertions; sizes that do not fit each other are any error.
    except Exception as error:
        place = files.name.removeprefix(FOLDER)
        config = f"{place}/{CONFIG}" if files.name.startswith(FOLDER) else f"the architecture {place!r}"
        raise SmecError(f"open_clip cannot build the model of {config}: {_reason(error)} Correct it.") from error


def _unloadable(settings: "OpenClipSettings", files: ClipFiles, error: Exception) -> str:
    differing = differences(files)
    if differing:
        return another_architecture(files.weights, settings.model, differing)
    return (
        f"The model {settings.model!r} could not be loaded from {files.weights}: {_reason(error)} Are its files whole?"
    )


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:LONGEST_REASON]
