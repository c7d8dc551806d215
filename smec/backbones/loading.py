"""Loading a model by the libraries of a model hub: less chatter, and faults in the user's words."""

import contextlib
import logging
from collections.abc import Iterator

from smec.backbones.model_files import is_hub_id

LIBRARIES = ("sentence_transformers", "transformers", "huggingface_hub", "peft", "accelerate")
LONGEST_REASON = 300


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' chatter about ordinary loading out of the log."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def unloadable(model: str, revision: str | None, error: Exception) -> str:
    """Return what to tell the user when a library could not load `model`."""
    reason = (" ".join(str(error).split()) or type(error).__name__)[:LONGEST_REASON]
    if is_hub_id(model):
        return (
            f"The model {model!r} at revision {revision} could not be loaded from the hub: {reason} Check the id, the "
            "revision, the network and, for a model that asks for consent, HF_TOKEN; or download the model and give "
            "its folder as `model`."
        )
    return f"The model {model!r} could not be loaded: {reason} Check that the folder is a complete model."
