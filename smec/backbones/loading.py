"""Loading a model by the libraries of a model hub: less chatter, and faults in the user's words."""

import contextlib
import logging
from collections.abc import Iterator

from smec.backbones.model_files import is_hub_id

LIBRARIES = ("sentence_transformers", "transformers", "huggingface_hub", "peft", "accelerate")
LONGEST_REASON = 300
ANY_ADVICE = "Check the id, the revision, the network and, for a model that asks for consent, HF_TOKEN."
ADVICE = {
    "RevisionNotFoundError": "It has no such revision: correct `revision`, the full commit hash on the model's page.",
    "GatedRepoError": "It asks for consent: give it on the model's page, and set HF_TOKEN to a token of that account.",
    "RepositoryNotFoundError": "No such model is seen: correct the id, or HF_TOKEN, which may be missing or expired.",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids to fetch it: fetch it where there is a network, or unset that.",
    "LocalEntryNotFoundError": "The hub cannot be reached: check the network and the proxy.",
    "EntryNotFoundError": "A file of it is missing there: check that it is the right model.",
    "ConnectionError": "The hub cannot be reached: check the network and the proxy.",
    "ConnectError": "The hub cannot be reached: check the network and the proxy.",
}
"""By the name of an error of huggingface_hub or of its connections, the most telling first."""
NO_TOKENIZER = "Couldn't instantiate the backend tokenizer"
"""What transformers says, and nothing of the reason, where a model has no file of a tokenizer."""


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
        names = _names(error) | ({"EntryNotFoundError"} if reason.startswith(NO_TOKENIZER) else set())
        advice = next((told for name, told in ADVICE.items() if name in names), ANY_ADVICE)
        return (
            f"The model {model!r} at revision {revision} could not be loaded from the hub: {reason} {advice} Or "
            "download the model and give its folder as `model`."
        )
    return f"The model {model!r} could not be loaded: {reason} Check that the folder is a complete model."


def _names(error: BaseException | None) -> set[str]:
    """Return the names of the classes of an error, and of all errors that it came from."""
    found: set[str] = set()
    while error is not None:
        found |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__ or error.__context__
    return found
