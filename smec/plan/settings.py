"""Rates that estimates rest on: where each is from, and the keys that replace it by what was measured elsewhere."""

from typing import Literal

from pydantic import Field

from smec.settings import Named, Settings

PEAK_FLOPS = {"v100": 125e12, "a100": 312e12, "l40s": 362e12, "h100": 989e12, "h200": 989e12}
"""Dense half-precision operations per second of a GPU: NVIDIA's data sheets, without sparsity (SXM boards)."""
PEAK_FLOAT32 = {"v100": 15.7e12, "a100": 19.5e12, "l40s": 91.6e12, "h100": 67e12, "h200": 67e12}
"""The same in float32, in which maps are trained; from the same sheets."""


class PlanSettings(Settings):
    """What `smec plan` reckons with, and what is looked at before the first job; no result depends on it."""

    gpu: Literal["v100", "a100", "l40s", "h100", "h200"] = Field("a100", description="GPU of the estimate.")
    utilisation: float = Field(
        0.4, gt=0, le=1, description="Share of a GPU's peak that encoding and training reach; .3 to .5 are usual."
    )
    core_flops: float = Field(
        6e10,
        gt=0,
        description="Operations per second of a processor core: an assumption, to be replaced by what is "
        "measured where the jobs run.",
    )
    start_seconds: float = Field(6.0, ge=0, description="Start of a job: interpreter, libraries, checking its inputs.")
    parameters: Named[float] = Field(
        default_factory=dict, description="Parameters of a backbone whose size is not known, by its key of `backbones`."
    )
    check: bool = Field(
        True,
        description="Look for disk, keys, models and data before the first job, and refuse where some are missing.",
    )
    check_network: bool = Field(
        True,
        description="Ask each server that something is to be fetched from whether it answers. Set false where the jobs "
        "run on nodes with a network and Snakemake on one without.",
    )

    @property
    def encoding_flops(self) -> float:
        """Operations per second of a GPU that encodes."""
        return PEAK_FLOPS[self.gpu] * self.utilisation

    @property
    def training_flops(self) -> float:
        """Operations per second of a GPU that trains a map in float32."""
        return PEAK_FLOAT32[self.gpu] * self.utilisation
