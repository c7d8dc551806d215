"""LLM2Vec: a decoder-only language model that attends in both directions, its token states averaged over the text.

As in the paper (arXiv 2404.05961) and the authors' library: the causal mask is taken away, adapters are merged into the
weights, and the instruction is read by the model and left out of the mean. The library itself pins an older
transformers and replaces model classes; here transformers' own `is_causal: false` does it, for every architecture that
knows it. `docs/backbones.md` says which public checkpoints fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from smec.backbones.base import BackboneSettings, check_dim, unit_rows
from smec.backbones.devices import Device, Precision, chosen_device, chosen_precision
from smec.backbones.llm2vec_model import load_model, pooled, tokenised
from smec.backbones.model_files import files_sha256, is_hub_id, missing_model, model_folder, require_commit
from smec.backbones.text_rows import TextRows
from smec.errors import SmecError
from smec.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Adapter(Settings):
    """A PEFT adapter that is merged into the model."""

    model: str = Field(description="A folder (begin it with ./, / or ~) or a hub id, which needs `revision`.")
    revision: str | None = Field(default=None, description="Full commit hash (40 digits) of a hub id.")

    @model_validator(mode="after")
    def _pins_the_revision(self) -> "Adapter":
        require_commit(self.model, self.revision)
        return self


class Llm2VecSettings(BackboneSettings):
    """A decoder-only language model and how it becomes an encoder."""

    kind: Literal["llm2vec"] = Field(default="llm2vec", description="A language model that attends in both directions.")
    model: str = Field(
        description="The base model: a folder (begin it with ./, / or ~) or a hub id, which needs `revision`."
    )
    revision: str | None = Field(default=None, description="Full commit hash (40 digits) of a hub id.")
    adapters: tuple[Adapter, ...] = Field(
        default=(), description="PEFT adapters, merged one after another in this order (first mntp, then supervised)."
    )
    attention: Literal["bidirectional", "causal"] = Field(
        default="bidirectional", description="Whether a token sees the later ones; causal is the plain language model."
    )
    pooling: Literal["mean", "last"] = Field(
        default="mean", description="Mean over the tokens of the text, or the state of the last token."
    )
    query_instruction: str = Field(default="", description="Read before every query, left out of the mean.")
    corpus_instruction: str = Field(default="", description="Read before every document, left out of the mean.")
    prefix: str = Field(
        default="",
        description="What the model was trained to read before instruction and text, such as '<|im_start|>user\\n'; "
        "left out of the mean.",
    )
    suffix: str = Field(
        default="",
        description="What it was trained to read after the text, such as '<|im_end|>'; counts as text, as in the "
        "library.",
    )
    max_length: int = Field(default=512, ge=2, description="Longest input in tokens, instruction included.")
    batch_size: int = Field(default=16, ge=1, description="Texts per forward pass.")
    precision: Precision = Field(
        default="auto", description="Precision of the forward pass; auto is float32 on CPU and bfloat16 on GPU."
    )
    device: Device = Field(default="auto", description="Where the model runs.")

    @model_validator(mode="after")
    def _pins_the_revision(self) -> "Llm2VecSettings":
        require_commit(self.model, self.revision)
        return self

    def check(self) -> None:
        """Look whether local models are there (see the base class)."""
        for model in (self.model, *(adapter.model for adapter in self.adapters)):
            if not is_hub_id(model):
                model_folder(model)

    def missing(self) -> str | None:
        """Say which model cannot be loaded here (see the base class)."""
        adapters = (missing_model(part.model, part.revision, "adapter_config.json") for part in self.adapters)
        return next((told for told in (missing_model(self.model, self.revision), *adapters) if told), None)

    def before(self, role: str) -> str:
        """Return what the model reads before a text of `role`."""
        instruction = (self.corpus_instruction if role == "corpus" else self.query_instruction).strip()
        return self.prefix + (f"{instruction} " if instruction else "")

    def declared(self, role: str) -> dict[str, Any]:
        """Return all that changes a vector but precision and local files (see the base class)."""
        return {
            "kind": self.kind,
            "model": self.model,
            "revision": self.revision,
            "adapters": [adapter.model_dump() for adapter in self.adapters],
            "attention": self.attention,
            "pooling": self.pooling,
            "prompt": self.before(role),
            "suffix": self.suffix,
            "max_length": self.max_length,
        }


@dataclass(frozen=True)
class Llm2VecBackbone:
    """A loaded model.

    Attributes:
        model: gives the states of all tokens; on its device, in its precision, adapters merged.
        tokenizer: gives tokens with the place of each in the text.
        settings: how it is used.
        identity: precision and checksum of local files.
        details: versions of the libraries and the device.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    settings: Llm2VecSettings
    identity: dict[str, Any]
    details: dict[str, Any]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.settings.dim

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order."""
        return unit_rows(self.pooled_states(texts, role))

    def pooled_states(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): the same of any length; batches are made of similar lengths."""
        import torch

        size = self.settings.batch_size
        order = np.argsort([-len(text) for text in texts], kind="stable")
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                vectors[rows] = self._batch([texts[row] for row in rows], role)
        return vectors

    def rows(self, folder: Path, role: str) -> TextRows:
        """Return the encoder of one role of the dataset in `folder`.

        Raises:
            SmecError: the role holds no texts, or its instruction leaves no room for them.
        """
        before = self.settings.before(role)
        used = len(self.tokenizer(before + self.settings.suffix)["input_ids"])
        if used >= self.settings.max_length:
            raise SmecError(
                f"What the model reads before each text of the {role} has {used} tokens and max_length is "
                f"{self.settings.max_length}, so no text would be left. Raise max_length, or shorten the instruction."
            )
        return TextRows.of(self, folder, role)

    def _batch(self, texts: list[str], role: str) -> NDArray[np.float32]:
        # A text without a token has no mean; a blank has one.
        bodies = [text or " " for text in texts]
        own = self.settings
        tokens = tokenised(self.tokenizer, own.before(role), bodies, own.max_length, own.suffix)
        ids, attended, of_text = (tensor.to(self.model.device) for tensor in tokens)
        states = self.model(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state
        vectors: NDArray[np.float32] = pooled(states, attended, of_text, self.settings.pooling).cpu().numpy()
        return vectors


def load(settings: Llm2VecSettings) -> Llm2VecBackbone:
    """Load the model, open its attention and merge its adapters.

    Raises:
        SmecError: a folder, file or the GPU is missing, the hub cannot be reached, an adapter does not belong to the
            model, its attention stays causal, or its width is not `dim`.
    """
    told = settings.missing()
    if told:
        raise SmecError(told)
    device = chosen_device(settings.device)
    precision = chosen_precision(settings.precision, device)
    model, tokenizer = load_model(settings, device, precision)
    check_dim(int(model.config.hidden_size), settings, f"The model {settings.model!r}")
    local = [part for part in (settings.model, *(a.model for a in settings.adapters)) if not is_hub_id(part)]
    weights = [files_sha256(model_folder(part)) for part in local]
    return Llm2VecBackbone(
        model,
        tokenizer,
        settings,
        {"precision": precision, "weights": weights},
        {"versions": _versions(), "device": device},
    )


def _versions() -> dict[str, str]:
    import peft
    import torch
    import transformers

    return {module.__name__: str(module.__version__) for module in (peft, torch, transformers)}
