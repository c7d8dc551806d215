"""How large each backbone is, which decides how long encoding takes and what its weights weigh."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smec.backbones.model_files import is_hub_id, model_folder
from smec.errors import SmecError
from smec.files import read_json
from smec.modality import Modality

TOKENS_PER_WORD = 1.35
"""Word pieces of an English word, about three for four words with every common vocabulary."""
TOKENS_OF_INSTRUCTION = 25

PUBLISHED = {
    "Alibaba-NLP/gte-Qwen2-7B-instruct": 7.6e9,
    "Alibaba-NLP/gte-Qwen2-1.5B-instruct": 1.5e9,
    "microsoft/LLM2CLIP-Openai-L-14-336": 0.3e9,
    "ViT-L-14": 0.3e9,
    "ViT-B-32": 0.09e9,
    "ViT-B-16": 0.09e9,
}
"""Parameters that a row passes through, from the pages of the models; of a CLIP those of its image tower."""
TOKENS_OF_IMAGE = {"microsoft/LLM2CLIP-Openai-L-14-336": 577, "ViT-L-14": 257, "ViT-B-16": 197, "ViT-B-32": 50}
"""Patches of an image and one more: (pixels / patch)² + 1."""
FEWEST_TOKENS_OF_IMAGE = 257
IN_NAME = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-zA-Z])")
REMOTE = ("openai", "precomputed")
"""Kinds that load no weights."""


@dataclass(frozen=True)
class ModelSize:
    """What encoding a row takes.

    Attributes:
        parameters: that each token passes through; None where it is not known.
        longest: tokens at which a text is cut.
        image_tokens: of an image.
    """

    parameters: float | None
    longest: float
    image_tokens: float

    def tokens(self, modality: Modality, words: float) -> float:
        """Return the tokens of a row of `words` words, or of an image."""
        if modality != "text":
            return self.image_tokens
        return min(self.longest, words * TOKENS_PER_WORD + TOKENS_OF_INSTRUCTION)


def model_size(name: str, values: Mapping[str, Any], given: Mapping[str, float]) -> ModelSize:
    """Return the size of a backbone.

    Args:
        name: its key of `backbones`.
        values: its settings.
        given: parameters that the configuration states, by that key.
    """
    model = str(values.get("model", ""))
    longest = float(values.get("max_length") or 512)
    image = float(TOKENS_OF_IMAGE.get(model, FEWEST_TOKENS_OF_IMAGE))
    return ModelSize(given.get(name) or _parameters(model), longest, image)


def _parameters(model: str) -> float | None:
    """Return the parameters that a token passes through: published, of a local model, or as its name says."""
    if model in PUBLISHED:
        return PUBLISHED[model]
    if model and not is_hub_id(model):
        return _of_local(model)
    found = IN_NAME.search(model)
    return float(found[1]) * 1e9 if found else None


def _of_local(model: str) -> float | None:
    """Return the parameters of the layers, from the shapes that the configuration of a local transformer states."""
    try:
        config = read_json(model_folder(model) / "config.json")
        width, layers = config["hidden_size"], config["num_hidden_layers"]
        inner = config["intermediate_size"]
    except (SmecError, KeyError, TypeError):
        return None
    gated = 3 if config.get("hidden_act") in ("silu", "swiglu") else 2
    return float(layers * (4 * width * width + gated * width * inner))
