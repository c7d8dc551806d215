"""Where a model runs and in which precision."""

from typing import Literal

from smec.errors import SmecError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


def chosen_device(asked: Device) -> str:
    """Return cpu or cuda; `auto` takes a GPU where one is visible.

    Raises:
        SmecError: a GPU is asked for and none is visible.
    """
    import torch

    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise SmecError("The backbone asks for device 'cuda', but no GPU is visible. Set device to 'auto' or 'cpu'.")
    return "cuda" if available and asked != "cpu" else "cpu"


def chosen_precision(asked: Precision, device: str) -> str:
    """Return float32 or bfloat16; `auto` is float32 on a CPU and bfloat16 on a GPU."""
    if asked != "auto":
        return asked
    return "float32" if device == "cpu" else "bfloat16"
