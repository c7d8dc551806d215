"""Options that learned methods share; their defaults are a budget, equal for all unless a run says otherwise."""

import math
from typing import Literal

from pydantic import Field, model_validator

from smec.basis import StartName
from smec.settings import Settings
from smec.sides import Maps

LossChoice = Literal["rank", "infonce", "mse", "cross_entropy", "hinge"]
CostView = Literal["total", "per_size"]


class Budget(Settings):
    """What every learned method gets alike."""

    epochs: int = Field(10, ge=1, description="Passes over the training queries per size.")
    batch_size: int = Field(128, ge=2, description="Queries in a batch.")
    hard_negatives: int = Field(10, ge=0, description="Mined negatives per query and step; 0: those of the batch.")
    negative_pool: int = Field(
        20, ge=0, description="Hard negatives are drawn anew in each step from this many mined ones of the query."
    )
    keep: Literal["best", "last"] = Field(
        "best", description="Weights that are kept: of the epoch with the best validation nDCG@10, or the last ones."
    )


class SupervisedOptions(Budget):
    """A supervised loss and how it is minimised."""

    loss: LossChoice = Field("rank", description="Supervised loss.")
    temperature: float = Field(1.0, gt=0, description="Divides the cosines in the loss; the papers' rank loss has 1.")
    margin: float = Field(
        0.3, gt=0, description="Of the loss `hinge`: a relevant document has to be ahead by this difference of cosines."
    )
    learning_rate: float = Field(1e-3, gt=0, description="Of Adam, at the start.")
    final_learning_rate: float = Field(
        1.0, ge=0, le=1, description="Share of the learning rate at the end of its linear decay; 1 keeps it constant."
    )
    path: float | None = Field(
        None,
        gt=0,
        description="If given, the learning rate is at most this divided by the number of steps, so that a map moves "
        "no further on a large training set than on a small one.",
    )
    path_queries: int | None = Field(
        None,
        gt=0,
        description="If given, `path` is for this many training queries or more; with fewer it falls with the square "
        "root of their number, as what they tell surely does.",
    )
    contrast: Literal["own", "batch"] = Field(
        "own",
        description="What a relevant document is set against: its query's `own` mined negatives, or the whole `batch`.",
    )
    random_negatives: int = Field(
        30, ge=0, description="Documents drawn at random in each step that every query of the batch is set against."
    )
    averaging: float = Field(
        0.0, ge=0, lt=1, description="Decay per step of a moving average of the weights that is kept; 0: no average."
    )
    basis: StartName = Field(
        "pca",
        description="Start of the map: the identity, the principal axes of the training documents, or "
        "`learned_whitening`: their principal axes once the differences of relevant pairs are whitened.",
    )
    shrinkage: float | None = Field(
        None,
        gt=0,
        description="Share of the mean variance that `learned_whitening` adds to each; null: validation chooses.",
    )

    def path_for(self, queries: int) -> float | None:
        """Return how far a map may move that learns from so many queries; None: as far as its rate takes it."""
        if self.path is None or self.path_queries is None:
            return self.path
        return self.path * min(1.0, math.sqrt(queries / self.path_queries))


class SimilarityOptions(SupervisedOptions):
    """The unsupervised similarity loss on the neighbours that S-XBM retrieves."""

    alpha: float = Field(0.1, ge=0, description="Weight of L_unsup; 0 switches it off.")
    memory_size: int = Field(5000, ge=0, description="Frozen vectors that S-XBM holds; 0: the batch itself serves.")
    neighbours: int = Field(10, ge=1, description="Nearest neighbours taken from the memory for each vector.")
    memory_sides: Literal["both", "other"] = Field(
        "both",
        description="Whose neighbours S-XBM compares: `both`: those among queries and documents alike; `other`: those "
        "of a query among documents and those of a document among queries, which is what is searched where one side "
        "holds text and the other images.",
    )
    distillation: float = Field(
        0.0, ge=0, description="Weight of the divergence from the similarities of a larger, already trained size."
    )
    distillation_temperature: float = Field(0.05, gt=0, description="Divides the cosines of teacher and student.")


class AdsOptions(SimilarityOptions):
    """Adaptive dimension selection: how the importance of dimensions starts, is sampled and learns."""

    gumbel_temperature: float = Field(1.0, ge=0, description="Temperature of ADS at the start of a stage; 0: no noise.")
    final_gumbel_temperature: float = Field(0.1, ge=0, description="Temperature of ADS at the end of a stage.")
    gumbel_reading: Literal["weighted", "literal"] = Field(
        "weighted",
        description="`weighted`: softmax(importance / T + noise), so that a falling T quietens the noise; `literal`: "
        "softmax((importance + noise) / T), the formula as the paper writes it.",
    )
    importance_start: float = Field(
        1.0,
        ge=0,
        description="ADS starts from the standardised log-variance of the dimensions times this; 0: all alike.",
    )
    importance_learning_rate: float = Field(0.05, gt=0, description="Learning rate of the importance vector of ADS.")


class MapOptions(AdsOptions):
    """Whether queries and documents pass through the same map."""

    maps: Maps = Field(
        "shared",
        description="`shared`: queries and documents pass through one map; `per_side`: through a map each, which start "
        "equal, for data whose sides are of different kinds, such as texts and images. Dimensions are selected once "
        "for both.",
    )


class SmrlOptions(MapOptions):
    """Options of a chain of stages; each is a row of the ablation."""

    projection: Literal["sub", "stacked"] = Field(
        "sub",
        description="`sub`: a stage reads the frozen vector; `stacked`: a new layer on the previous stage's output.",
    )
    levels: Literal["separate", "nested"] = Field(
        "separate",
        description="`separate`: each size its own frozen matrix; `nested`: one matrix whose prefixes are the sizes.",
    )
    selection: Literal["ads", "truncation", "random", "variance", "contribution"] = Field(
        "ads", description="How a stage chooses the dimensions that it keeps."
    )
    rotation: Literal["none", "pca"] = Field(
        "none",
        description="`pca`: before a later stage, rotate its outputs to their principal axes over the documents. "
        "Similarities at the larger size stay as they are; what is selected changes.",
    )
    first_stage_share: float | None = Field(
        None, gt=0, lt=1, description="Share of the chain's epochs that the first stage gets; null: all stages alike."
    )
    path_growth: bool = Field(
        False, description="Let `path` grow as sizes shrink: times max(1, M / (4 d)) in the stage that produces d."
    )
    refit_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the epochs that is kept for a second fit on training and validation queries together, "
        "with what validation chose on the first fit; 0: no second fit.",
    )
    pull_back: bool = Field(
        False,
        description="Move each trained map back towards the better frozen baseline (principal axes or truncation), or "
        "the learned whitening that it started from, where validation clearly asks; all the way to the baseline where "
        "nothing shows that it is better.",
    )

    @model_validator(mode="after")
    def _pulled_back_sizes_are_separate(self) -> "SmrlOptions":
        if self.pull_back and self.levels == "nested":
            raise ValueError(
                "`levels: nested` cannot be pulled back, because its sizes share one matrix; set `pull_back: false`"
            )
        return self
