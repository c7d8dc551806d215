"""Any CLIP-like model that open_clip loads: images and captions become vectors of one space."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from smec.backbones import open_clip_files, open_clip_models
from smec.backbones.base import BackboneSettings, unit_rows
from smec.backbones.devices import Device, Precision, chosen_device, chosen_precision
from smec.backbones.encoded_rows import ImageRows, encoded_rows
from smec.backbones.open_clip_loading import library_versions, loaded_model
from smec.backbones.open_clip_models import HUB
from smec.backbones.text_rows import TextRows
from smec.errors import SmecError
from smec.modality import Modality

if TYPE_CHECKING:
    import torch

    from smec.image_batches import Transform

COMMIT = re.compile(r"^[0-9a-f]{40}$")


class OpenClipSettings(BackboneSettings):
    """A model of open_clip and how it is used."""

    encodes: ClassVar[frozenset[Modality]] = frozenset({"text", "image"})
    kind: Literal["open_clip"] = Field(default="open_clip", description="A CLIP model that open_clip loads.")
    model: str = Field(
        description="An architecture of open_clip such as ViT-B-32, with `pretrained` or `checkpoint`; "
        "hf-hub:OWNER/NAME with `revision`; or a folder (begin it with ./, / or ~) with open_clip_config.json and the "
        "weights as safetensors."
    )
    pretrained: str | None = Field(default=None, description="open_clip's tag of the weights of an architecture.")
    checkpoint: Path | None = Field(default=None, description="Weights of an architecture in a .safetensors file.")
    revision: str | None = Field(default=None, description="Full commit hash (40 digits) of the weights on the hub.")
    corpus_prompt: str = Field(default="", description="Text put before every document that is text.")
    query_prompt: str = Field(default="", description="Text put before every query that is text: 'a photo of '.")
    batch_size: int = Field(default=128, ge=1, description="Images or texts per forward pass.")
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
    def _names_one_set_of_weights(self) -> "OpenClipSettings":
        named = self.pretrained is not None, self.checkpoint is not None
        if open_clip_models.is_folder(self.model) or self.model.startswith(HUB):
            if any(named):
                raise ValueError(f"{self.model} brings its weights; leave `pretrained` and `checkpoint` out")
        elif sum(named) != 1:
            otherwise = open_clip_models.named_otherwise(self.model)
            raise ValueError(
                f"{self.model!r} is no name of an architecture; {otherwise}"
                if otherwise
                else f"the architecture {self.model!r} needs either `pretrained` or `checkpoint`: its weights"
            )
        if self.checkpoint is not None and self.checkpoint.suffix != ".safetensors":
            raise ValueError(f"{self.checkpoint} is not a .safetensors file; save the state dict as one")
        return self

    @model_validator(mode="after")
    def _pins_the_revision(self) -> "OpenClipSettings":
        if (self.model.startswith(HUB) or self.revision is not None) and not COMMIT.match(self.revision or ""):
            raise ValueError(
                "`revision` must be the full commit hash (40 hexadecimal digits), so that results can be repeated; "
                f"got {self.revision!r}"
            )
        if self.revision is not None and (self.checkpoint is not None or open_clip_models.is_folder(self.model)):
            raise ValueError("leave `revision` out: the weights are local files, which are known by their sha256")
        return self

    @model_validator(mode="after")
    def _is_known(self) -> "OpenClipSettings":
        if not open_clip_models.is_folder(self.model) and not self.model.startswith(HUB):
            try:
                open_clip_models.check_architecture(self.model, self.dim)
            except SmecError as error:
                raise ValueError(str(error)) from error
        return self

    def check(self) -> None:
        """Look whether local files are there and fit, and whether open_clip knows the tag (see the base class)."""
        if self.pretrained is not None:
            open_clip_models.pretrained_entry(self.model, self.pretrained, self.revision)
        if open_clip_models.is_folder(self.model):
            open_clip_models.check_folder(self.model, self.dim)
        if self.checkpoint is not None:
            open_clip_models.check_checkpoint(self.model, self.checkpoint)

    def missing(self) -> str | None:
        """Say what is wrong with the tag or with local files (see the base class); a download may still fail."""
        try:
            self.check()
        except SmecError as error:
            return str(error)
        return None

    def files(self) -> tuple[Path, ...]:
        """Return the configuration and the weights where they are local files (see the base class)."""
        if self.checkpoint is not None:
            return (self.checkpoint,)
        if not open_clip_models.is_folder(self.model):
            return ()
        folder = Path(self.model).expanduser()
        names = (open_clip_models.CONFIG, *open_clip_models.WEIGHTS)
        return tuple(folder / name for name in names if (folder / name).exists())

    def prompt(self, role: str) -> str:
        """Return the text that is put before each text of `role`."""
        return self.corpus_prompt if role == "corpus" else self.query_prompt

    def declared(self, role: str) -> dict[str, Any]:
        """Return model, weights, revision and prompt (see the base class)."""
        return {
            "kind": self.kind,
            "model": self.model,
            "pretrained": self.pretrained,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "revision": self.revision,
            "prompt": self.prompt(role),
        }


@dataclass(frozen=True)
class OpenClipBackbone:
    """A loaded model.

    Attributes:
        model: the model, on its device and in its precision.
        transform: from a decoded image to float32 (3, height, width).
        tokenizer: from texts to int64 (n, context length).
        settings: how it is used.
        device: cpu or cuda.
        workers: processes that decode images.
        identity: precision, checksum of the files, and the tokenizer where it is none of them.
        details: versions of the libraries and the device.
    """

    model: "torch.nn.Module"
    transform: "Transform"
    tokenizer: Callable[[list[str]], "torch.Tensor"]
    settings: OpenClipSettings
    device: str
    workers: int
    identity: dict[str, Any]
    details: dict[str, Any]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.settings.dim

    def encode_images(self, batches: "Iterator[torch.Tensor]") -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the images of all batches, in their order."""
        from smec.image_batches import lost_workers_told

        with lost_workers_told():
            return self._vectors(self.model.encode_image, batches)

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, each after the prompt of its role, in their order."""
        size, prompt = self.settings.batch_size, self.settings.prompt(role)
        prompted = [prompt + text for text in texts]
        parts = (prompted[start : start + size] for start in range(0, len(prompted), size))
        return self._vectors(self.model.encode_text, (self.tokenizer(part) for part in parts))

    def rows(self, folder: Path, role: str) -> ImageRows | TextRows:
        """Return the encoder of one role of the dataset in `folder`."""
        return encoded_rows(self, folder, role)

    def _vectors(self, encode: Any, batches: "Iterator[torch.Tensor]") -> NDArray[np.float32]:
        import torch

        dtype = getattr(torch, self.identity["precision"])
        done = []
        with torch.inference_mode():
            for batch in batches:
                moved = batch.to(self.device, non_blocking=True)
                done.append(encode(moved.to(dtype) if moved.is_floating_point() else moved).float())
            return unit_rows(torch.cat(done).cpu().numpy())


def load(settings: OpenClipSettings) -> OpenClipBackbone:
    """Find the weights, check them and load the model.

    Raises:
        SmecError: a file, the tokenizer or the GPU is missing, the hub cannot be reached, or the weights are of another
            architecture.
    """
    from smec.image_batches import default_workers

    if settings.trained_on is None:
        settings.check()
    files = open_clip_files.resolve(settings)
    named = open_clip_files.hub_tokenizer(files)
    device = chosen_device(settings.device)
    precision = chosen_precision(settings.precision, device)
    tokenizer = open_clip_files.tokenizer(files)
    model, transform = loaded_model(settings, files, device, precision)
    return OpenClipBackbone(
        model=model,
        transform=transform,
        tokenizer=tokenizer,
        settings=settings,
        device=device,
        workers=default_workers(device) if settings.workers is None else settings.workers,
        identity={"precision": precision, "weights": files.sha256, **({"tokenizer": named} if named else {})},
        details={"versions": library_versions(), "device": device},
    )
