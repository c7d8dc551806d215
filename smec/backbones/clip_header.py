"""The shapes of a CLIP's weights against its architecture, from the header of the file alone.

Only what the architecture says outright is compared, and tensors of other names are left to the loading of the model.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smec.errors import SmecError

Shape = tuple[int | None, ...]
"""Of a tensor; None where the architecture leaves a length to open_clip's default."""
LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000
"""Bytes that the safetensors library reads at most."""
MOST_TOLD = 3


def check_weights(config: Mapping[str, Any], weights: Path, model: str) -> None:
    """Compare a .safetensors file with a `model_cfg`.

    Raises:
        SmecError: a tensor has another shape.
    """
    found = shapes(weights)
    differing = [
        f"{name} is {found[name]}, wanted {_told(wanted)}"
        for name, wanted in _wanted(config)
        if name in found and not _fits(found[name], wanted)
    ]
    if differing:
        raise SmecError(another_architecture(weights, model, differing))


def another_architecture(weights: Path, model: str, differing: list[str]) -> str:
    """Return what to tell of weights that differ from the model in the ways of `differing`."""
    count = f"{len(differing)} difference{'s' if len(differing) > 1 else ''}"
    return (
        f"The weights {weights} are of another architecture than {model!r}: {'; '.join(differing[:MOST_TOLD])} "
        f"({count}). Correct `model`, or give the weights that belong to it."
    )


def shapes(weights: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors of a .safetensors file; none of a file that is damaged."""
    try:
        with weights.open("rb") as stream:
            length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
            header = json.loads(stream.read(length)) if length < LONGEST_HEADER else {}
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}


def _wanted(config: Mapping[str, Any]) -> Iterator[tuple[str, Shape]]:
    vision, text, dim = config["vision_cfg"], config["text_cfg"], config.get("embed_dim")
    # Towers of other libraries and residual networks have tensors of these names with other shapes.
    if not vision.get("timm_model_name") and not isinstance(vision.get("layers"), list):
        width, patch = vision.get("width"), vision.get("patch_size")
        yield "visual.conv1.weight", (width, 3, *(patch if isinstance(patch, list) else (patch, patch)))
        if not vision.get("attentional_pool"):
            yield "visual.proj", (width, dim)
    if not text.get("hf_model_name"):
        for prefix in ("", "text."):
            yield f"{prefix}token_embedding.weight", (text.get("vocab_size"), text.get("width"))
            yield f"{prefix}text_projection", (text.get("width"), dim)


def _fits(found: tuple[int, ...], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(b in (None, a) for a, b in zip(found, wanted, strict=True))


def _told(wanted: Shape) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in wanted)})"
