"""LLM2CLIP: an image tower whose captions are read by a language model (arXiv 2411.04997).

The published models bring code of their own, which runs only where the configuration allows it, at a pinned revision.
What is used of it is the interface of their model cards: `get_image_features(pixels)`, and `get_text_features(states)`
of the language model's pooled states. The language model is a backbone of kind `llm2vec`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from smec.backbones import llm2vec
from smec.backbones.base import BackboneSettings, check_dim, unit_rows
from smec.backbones.devices import Device, Precision, chosen_device, chosen_precision
from smec.backbones.encoded_rows import ImageRows, encoded_rows
from smec.backbones.llm2vec import Llm2VecBackbone, Llm2VecSettings
from smec.backbones.loading import LONGEST_REASON, quiet, unloadable
from smec.backbones.model_files import files_sha256, is_hub_id, missing_model, model_folder, require_commit
from smec.backbones.text_rows import TextRows
from smec.errors import SmecError
from smec.files import read_json
from smec.modality import Modality

if TYPE_CHECKING:
    import torch

    from smec.image_batches import Transform


class Llm2ClipSettings(BackboneSettings):
    """An LLM2CLIP model and how it is used."""

    encodes: ClassVar[frozenset[Modality]] = frozenset({"text", "image"})
    kind: Literal["llm2clip"] = Field(default="llm2clip", description="LLM2CLIP: images and long captions.")
    model: str = Field(
        description="The model with the image tower: a folder (begin it with ./, / or ~) or a hub id, which needs "
        "`revision`."
    )
    revision: str | None = Field(default=None, description="Full commit hash (40 digits) of a hub id, code included.")
    trust_remote_code: bool = Field(
        default=False, description="Let the model bring and run code of its own; the published ones need it."
    )
    text_model: Llm2VecSettings | None = Field(
        default=None, description="The language model that reads captions; null where both sides hold images."
    )
    image_size: int | None = Field(default=None, ge=1, description="Pixels of a side; the model's own when null.")
    batch_size: int = Field(default=64, ge=1, description="Images per forward pass.")
    workers: int | None = Field(
        default=None,
        ge=0,
        description="Processes that read and decode images; null: one per core up to 8 on a GPU, one beside a CPU.",
    )
    precision: Precision = Field(
        default="auto", description="Precision of the forward pass; auto is float32 on CPU and bfloat16 on GPU."
    )
    device: Device = Field(default="auto", description="Where the model runs.")

    @model_validator(mode="after")
    def _pins_the_revision(self) -> "Llm2ClipSettings":
        require_commit(self.model, self.revision)
        return self

    def check(self) -> None:
        """Look whether local models are there, and may run their code (see the base class)."""
        if not is_hub_id(self.model):
            file = model_folder(self.model) / "config.json"
            content = read_json(file, made_by_user=True)
            if not isinstance(content, dict):
                raise SmecError(f"{file} is no mapping. It must be the configuration of a model of transformers.")
            if "auto_map" in content and not self.trust_remote_code:
                raise SmecError(_code_is_not_allowed(self.model))
        if self.text_model is not None:
            self.text_model.check()

    def refusal(self, role: str, held: Modality) -> str | None:
        """Say that text needs a language model (see the base class)."""
        if held == "text" and self.text_model is None:
            return f"holds text as its {role}, and the backbone has no `text_model`, which reads captions. Give one."
        return super().refusal(role, held)

    def missing(self) -> str | None:
        """Say which model cannot be loaded here (see the base class)."""
        return missing_model(self.model, self.revision) or (self.text_model.missing() if self.text_model else None)

    def declared(self, role: str) -> dict[str, Any]:
        """Return models, revisions and what stands before a text (see the base class)."""
        return {
            "kind": self.kind,
            "model": self.model,
            "revision": self.revision,
            "image_size": self.image_size,
            "text_model": self.text_model.declared(role) if self.text_model else None,
        }


@dataclass(frozen=True)
class Llm2ClipBackbone:
    """A loaded model; its language model is loaded when texts are to be encoded.

    Attributes:
        model: the model, on its device and in its precision.
        transform: from a decoded image to float32 (3, height, width).
        settings: how it is used.
        device: cpu or cuda.
        workers: processes that decode images.
        identity: precision and checksum of local files.
        details: versions of the libraries and the device.
    """

    model: Any
    transform: "Transform"
    settings: Llm2ClipSettings
    device: str
    workers: int
    identity: dict[str, Any]
    details: dict[str, Any]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.settings.dim

    @cached_property
    def text_model(self) -> Llm2VecBackbone:
        """The language model.

        Raises:
            SmecError: none is configured, or it does not load.
        """
        if self.settings.text_model is None:
            raise SmecError(
                "The dataset holds texts, and the backbone of kind 'llm2clip' has no `text_model`. Give one."
            )
        return llm2vec.load(self.settings.text_model)

    def encode_images(self, batches: "Iterator[torch.Tensor]") -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the images of all batches, in their order."""
        from smec.image_batches import lost_workers_told

        with lost_workers_told():
            return self._vectors(self.model.get_image_features, batches)

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order."""
        import torch

        states = torch.from_numpy(self.text_model.pooled_states(texts, role))
        starts = range(0, len(states), self.settings.batch_size)
        parts = (states[start : start + self.settings.batch_size] for start in starts)
        return self._vectors(self.model.get_text_features, parts)

    def rows(self, folder: Path, role: str) -> ImageRows | TextRows:
        """Return the encoder of one role of the dataset in `folder`."""
        return encoded_rows(self, folder, role)

    def _vectors(self, encode: Any, batches: "Iterator[torch.Tensor]") -> NDArray[np.float32]:
        import torch

        dtype = getattr(torch, self.identity["precision"])
        with torch.inference_mode():
            done = [encode(batch.to(self.device, dtype, non_blocking=True)).float().cpu() for batch in batches]
        return unit_rows(torch.cat(done).numpy())


def load(settings: Llm2ClipSettings) -> Llm2ClipBackbone:
    """Load the model with the image tower.

    Raises:
        SmecError: a folder or the GPU is missing, the hub cannot be reached, the model brings code that is not allowed
            to run or does not run with the installed transformers.
    """
    import open_clip
    import torch
    import torchvision
    import transformers

    from smec.image_batches import default_workers

    settings.check()
    device = chosen_device(settings.device)
    precision = chosen_precision(settings.precision, device)
    model = _loaded(settings, device, precision)
    size = settings.image_size or int(model.config.vision_config.image_size)
    check_dim(_width(model, size, settings), settings, f"The model {settings.model!r}")
    modules = (open_clip, torch, torchvision, transformers)
    return Llm2ClipBackbone(
        model=model,
        transform=open_clip.image_transform(size, is_train=False),
        settings=settings,
        device=device,
        workers=default_workers(device) if settings.workers is None else settings.workers,
        identity={
            "precision": precision,
            "weights": None if is_hub_id(settings.model) else files_sha256(model_folder(settings.model)),
        },
        details={"versions": {module.__name__: str(module.__version__) for module in modules}, "device": device},
    )


def _loaded(settings: Llm2ClipSettings, device: str, precision: str) -> Any:
    import torch
    from transformers import AutoModel

    source = settings.model if is_hub_id(settings.model) else str(model_folder(settings.model))
    try:
        with quiet():
            model = AutoModel.from_pretrained(
                source,
                revision=settings.revision,
                code_revision=settings.revision,
                trust_remote_code=settings.trust_remote_code,
                dtype=getattr(torch, precision),
                use_safetensors=True,
            )
    # Loaders of third parties, and a model's own code, raise anything.
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise SmecError(_code_is_not_allowed(settings.model)) from error
        raise SmecError(unloadable(settings.model, settings.revision, error)) from error
    return model.to(device).eval()


def _width(model: Any, size: int, settings: Llm2ClipSettings) -> int:
    """Return the length of the vector of one black image: no configuration says it for all published models."""
    import torch

    try:
        with torch.inference_mode():
            return int(model.get_image_features(torch.zeros(1, 3, size, size).to(model.device, model.dtype)).shape[1])
    # A model's own code raises anything.
    except Exception as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
        raise SmecError(
            f"The model {settings.model!r} cannot encode an image of {size} x {size} pixels: {reason} Correct "
            "`image_size`, or check that it is an LLM2CLIP model."
        ) from error


def _code_is_not_allowed(model: str) -> str:
    return (
        f"The model {model!r} brings code of its own, which runs on this machine when it is loaded. Read that code, "
        "then set `trust_remote_code: true` to allow it."
    )
