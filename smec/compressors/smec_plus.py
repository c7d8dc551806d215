"""SMEC+: the chain of SMEC with what measures best; docs/decisions.md has the reason and effect of each change."""

from typing import Literal

from pydantic import Field

from smec.basis import StartName
from smec.method import FitJob, Fitted, Method
from smec.options import LossChoice, SmrlOptions


class Options(SmrlOptions):
    """The options of `smec` with other defaults."""

    basis: StartName = Field("learned_whitening", description="Start of the map: what labels give in closed form.")
    loss: LossChoice = Field("infonce", description="Supervised loss.")
    temperature: float = Field(0.06, gt=0, description="Divides the cosines in the loss.")
    contrast: Literal["own", "batch"] = Field("batch", description="InfoNCE sets all of the batch against a query.")
    rotation: Literal["none", "pca"] = Field("pca", description="Rotation of the outputs before a later stage.")
    selection: Literal["ads", "truncation", "random", "variance", "contribution"] = Field(
        "truncation", description="After the rotation the first dimensions are the strongest."
    )
    alpha: float = Field(0.0, ge=0, description="Weight of L_unsup.")
    distillation: float = Field(1.0, ge=0, description="Weight of the divergence from the first stage's similarities.")
    random_negatives: int = Field(500, ge=0, description="Random documents in each step.")
    learning_rate: float = Field(2.5e-3, gt=0, description="Most that `path` may ask for, where labels are few.")
    path: float | None = Field(0.05, gt=0, description="Learning rate times number of steps.")
    path_queries: int | None = Field(3000, gt=0, description="Fewer training queries move the map less.")
    path_growth: bool = Field(True, description="Let smaller sizes move further.")
    final_learning_rate: float = Field(0.0, ge=0, le=1, description="Linear decay to zero.")
    first_stage_share: float | None = Field(0.4, gt=0, lt=1, description="All later stages build on the first.")
    keep: Literal["best", "last"] = Field("last", description="The decay replaces early stopping.")
    refit_share: float = Field(
        0.7, ge=0, lt=1, description="Fit again with the validation queries once the choices are made."
    )
    pull_back: bool = Field(True, description="Do not end below the frozen baseline.")


class SmecPlus(Method):
    """The chain of `smec`, trained with InfoNCE from learned whitening, distilled, pulled back and refitted."""

    name = "smec_plus"
    schedule = "chain"
    Options = Options

    def fit(self, job: FitJob) -> Fitted:
        """Fit one SMRL stage."""
        from smec.smrl import fit_stage

        return fit_stage(self.name, job)


METHOD = SmecPlus()
