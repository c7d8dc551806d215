"""Training of the backbone itself with SMEC's losses, all parameters or low-rank adapters (the paper's question 1)."""

from typing import Literal

from pydantic import Field

from smec.backbone_method import BackboneMethod
from smec.options import LossChoice, SupervisedOptions
from smec.settings import Settings


class Options(Settings):
    """What is trained, on which batches, with which losses. The defaults suit a small model and one epoch."""

    adapter: Literal["none", "lora"] = Field(
        "none",
        description="`none`: all parameters of the backbone; `lora`: low-rank adapters in its linear layers, merged "
        "into them after training (Hu et al. 2021, arXiv 2106.09685).",
    )
    lora_rank: int = Field(16, ge=1, description="Rank of the adapters.")
    lora_alpha: int = Field(32, ge=1, description="The adapters' output is scaled by this divided by their rank.")
    levels: Literal["parallel", "sequential"] = Field(
        "parallel",
        description="`parallel`: every step has the losses of all sizes; `sequential`: the steps are shared out evenly "
        "among neighbouring pairs of sizes, largest first, as in SMRL, though nothing can be frozen in between.",
    )
    epochs: int = Field(1, ge=1, description="Passes over the training queries.")
    batch_size: int = Field(32, ge=2, description="Queries in a batch.")
    hard_negatives: int = Field(1, ge=0, description="Mined negatives per query and step; each is encoded.")
    negative_pool: int = Field(
        20, ge=0, description="Hard negatives are drawn anew in each step from this many mined ones of the query."
    )
    random_negatives: int = Field(
        0, ge=0, description="Documents drawn at random in each step that every query is set against; each is encoded."
    )
    contrast: Literal["own", "batch"] = Field(
        "batch",
        description="What a relevant document is set against: its query's `own` mined negatives, or the whole `batch`.",
    )
    loss: LossChoice = Field("rank", description="Supervised loss.")
    temperature: float = Field(1.0, gt=0, description="Divides the cosines in the loss; the papers' rank loss has 1.")
    margin: float = Field(
        0.3, gt=0, description="Of the loss `hinge`: a relevant document has to be ahead by this difference of cosines."
    )
    alpha: float = Field(0.1, ge=0, description="Weight of L_unsup, towards the frozen backbone; 0 switches it off.")
    neighbours: int = Field(10, ge=1, description="Nearest neighbours within the batch that L_unsup compares.")
    learning_rate: float = Field(2e-5, gt=0, description="Of AdamW, after the warm-up; it then falls to 0 linearly.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises from 0.")
    max_length: int = Field(
        128, ge=2, description="Longest input in tokens while training; the model's own if that is shorter."
    )

    def sampling(self) -> SupervisedOptions:
        """Return what batches and supervised losses are made of, as the adaptors' options name it."""
        shared = SupervisedOptions.model_fields.keys() & type(self).model_fields.keys() - {"learning_rate"}
        return SupervisedOptions(**{key: getattr(self, key) for key in shared})


class Finetune(BackboneMethod):
    """The backbone itself, trained with the losses of all sizes on prefixes of its vectors, not frozen under a map."""

    name = "finetune"
    Options = Options


METHOD = Finetune()
