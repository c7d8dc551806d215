"""How a small CLIP is trained."""

from pydantic import Field

from smec.settings import Settings


class ClipTraining(Settings):
    """Steps, batches and rates."""

    steps: int = Field(480, ge=1, description="Optimisation steps; what decides how long it takes.")
    batch_size: int = Field(256, ge=2, description="Captions of a step, each with one of its images.")
    learning_rate: float = Field(2e-3, gt=0, description="Of AdamW, at its highest.")
    warmup: float = Field(0.1, gt=0, lt=1, description="Share of the steps in which the rate rises; it falls after.")
    weight_decay: float = Field(0.1, ge=0, description="Of matrices; biases and norms have none.")
    seed: int = Field(0, ge=0, description="Of the first weights and of the batches.")
