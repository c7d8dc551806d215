"""A small CLIP that the workflow trains itself on one of its datasets, and then uses as any model of open_clip."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from smec.backbones import open_clip, open_clip_models
from smec.backbones.clip_architecture import trainable_config
from smec.backbones.clip_options import ClipTraining
from smec.backbones.open_clip import OpenClipBackbone, OpenClipSettings


class TrainedClipSettings(OpenClipSettings):
    """What the model is, what it is trained on, and where it goes."""

    kind: Literal["trained_clip"] = Field(  # type: ignore[assignment]
        default="trained_clip", description="A CLIP that the rule `pretrain` trains."
    )
    model: str = Field(description="Folder that the trained model goes to: ./results/models/NAME.")
    architecture: Path = Field(description="Configuration of the model: an open_clip_config.json.")
    dataset: str = Field(
        description="Key of `datasets`: what it is trained on, a set of the task `text_to_image`. Its test captions "
        "are left out, and the record has its quality on them."
    )
    training: ClipTraining = Field(default=ClipTraining(), description="Steps, batches and rates.")

    # Before the validators of the base class, which would ask for the weights of what is written otherwise.
    @field_validator("model")
    @classmethod
    def _goes_to_the_models(cls, model: str) -> str:
        if not model.startswith("./results/models/") or Path(model).parent != Path("results/models"):
            raise ValueError("it must be ./results/models/NAME, with './' before it, where the rule puts it")
        return model

    @model_validator(mode="after")
    def _brings_no_weights(self) -> "TrainedClipSettings":
        if self.pretrained is not None or self.checkpoint is not None or self.revision is not None:
            raise ValueError("leave `pretrained`, `checkpoint` and `revision` out: the weights are trained here")
        return self

    @property
    def trained_on(self) -> str | None:
        """The dataset (see the base class)."""
        return self.dataset

    def check(self) -> None:
        """Look whether the architecture is there, can be trained and has the right width (see the base class)."""
        open_clip_models.check_width(trainable_config(self.architecture), self.dim, str(self.architecture))

    def files(self) -> tuple[Path, ...]:
        """Return the configuration and the weights that the rule writes (see the base class)."""
        return tuple(Path(self.model) / name for name in (open_clip_models.CONFIG, open_clip_models.WEIGHTS[0]))

    def declared(self, role: str) -> dict[str, Any]:
        """Return what it is and how it was trained (see the base class)."""
        trained = {"dataset": self.dataset, "training": self.training.model_dump(mode="json")}
        return {**super().declared(role), **trained}


def load(settings: TrainedClipSettings) -> OpenClipBackbone:
    """Load the trained model.

    Raises:
        SmecError: it was not trained yet, or does not load.
    """
    open_clip_models.check_folder(settings.model, settings.dim)
    return open_clip.load(settings)
