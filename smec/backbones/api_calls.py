"""One request to the embeddings API by the official client: paced, retried where waiting helps, else told at once."""

import contextlib
import logging
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from smec.backbones.api_budget import Pace
from smec.errors import SmecError

if TYPE_CHECKING:
    from openai import OpenAI
    from tenacity import RetryCallState

    from smec.backbones.openai_api import OpenAISettings

FIRST_PAUSE, LONGEST_PAUSE, LONGEST_ASKED = 1.0, 60.0, 600.0
"""Seconds: pauses grow from the first to the second; a server may ask for more, up to the third."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TIMED_OUT, CONFLICT, THROTTLED, SERVER_FAULT = 401, 403, 404, 408, 409, 429, 500
OUT_OF_CREDIT = "insufficient_quota"
SECRET = re.compile(r"\b(sk|pk|key)-[\w*-]+")
SHORTEST_KEY = 8
"""A shorter text stands for no key, as servers without keys take it."""
LONGEST_REASON = 300
MATRIX = 2

logger = logging.getLogger(__name__)


def version() -> dict[str, str]:
    """Return the version of the client."""
    import openai

    return {"openai": openai.__version__}


@dataclass(frozen=True)
class Caller:
    """Sends requests; used by several threads.

    Attributes:
        client: the official client; its own retries are off, so that every wait is told and a refusal ends at once.
        settings: model, server, attempts.
        pace: when a request may begin.
    """

    client: "OpenAI"
    settings: "OpenAISettings"
    pace: Pace

    @classmethod
    def of(cls, settings: "OpenAISettings", key: str) -> "Caller":
        """Return a caller that uses `key`."""
        from openai import OpenAI

        for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        client = OpenAI(api_key=key, base_url=settings.base_url, timeout=settings.timeout, max_retries=0)
        return cls(client, settings, Pace(settings.requests_per_minute, settings.tokens_per_minute))

    def embed(self, texts: list[str], tokens: int) -> tuple[NDArray[np.float32], int | None]:
        """Return float32 (n, dim), and the tokens that the server counted, if it tells.

        Raises:
            SmecError: the key or the request is refused, the answer is malformed, or no attempt succeeds.
        """
        from openai import OpenAIError
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        attempts = Retrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=_pause,
            retry=retry_if_exception(_passes),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return attempts(self._once, texts, tokens)
        except OpenAIError as error:
            self._fail(error)

    def _once(self, texts: list[str], tokens: int) -> tuple[NDArray[np.float32], int | None]:
        self.pace.wait(tokens)
        try:
            answer = self.client.embeddings.create(model=self.settings.model, input=texts)
            found = sorted(answer.data, key=lambda item: item.index)
            vectors = np.array([item.embedding for item in found], dtype=np.float32)
        # What the client makes of an answer that is none: it fails on what is not there.
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SmecError(f"{self.settings.base_url} does not answer as an embeddings API does ({error}).") from None
        if [item.index for item in found] != list(range(len(texts))) or vectors.ndim != MATRIX:
            raise SmecError(
                f"{self.settings.base_url} gave {len(found)} vectors for {len(texts)} texts, or some twice."
            )
        return vectors, answer.usage.total_tokens if answer.usage else None

    def _tell(self, state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        logger.warning(
            "%s: %s, attempt %d of %d; again in %.1f s",
            self.settings.base_url,
            _named(error),
            state.attempt_number,
            self.settings.attempts,
            pause,
        )

    def _fail(self, error: Exception) -> NoReturn:
        """Tell a fault; the original is cut off, because its text may hold the key."""
        status, where = _status(error), self.settings.base_url
        reason = self._without_secrets(" ".join(str(error).split())[:LONGEST_REASON])
        if status in (UNAUTHORIZED, FORBIDDEN):
            told = (
                f"{where} refuses the key in OPENAI_API_KEY ({status}). Check that it is whole, has not expired and "
                f"may use the model {self.settings.model!r}."
            )
        elif status == NOT_FOUND:
            told = f"{where} has no model {self.settings.model!r} (404: {reason}). Correct `model` or `base_url`."
        elif _code(error) == OUT_OF_CREDIT:
            told = f"The account behind OPENAI_API_KEY has no credit left at {where}. Top it up and run the step again."
        elif not _passes(error):
            told = (
                f"{where} refuses a request ({status}: {reason}). If a text is too long for the model, lower "
                "`max_characters`; if a request is, lower `batch_tokens`."
            )
        else:
            told = (
                f"{where} did not answer in {self.settings.attempts} attempts; the last fault was {_named(error)} "
                f"({reason}). Check the network and the rate limits, and run the step again: finished shards are kept."
            )
        raise SmecError(told) from None

    def _without_secrets(self, text: str) -> str:
        key = self.client.api_key
        return SECRET.sub("***", text.replace(key, "***") if len(key) >= SHORTEST_KEY else text)


def _passes(error: BaseException) -> bool:
    """Say whether the same request may succeed later."""
    from openai import APIConnectionError

    if isinstance(error, APIConnectionError):
        return True
    status = _status(error)
    if _headers(error).get("x-should-retry") == "false":
        return False
    if status == THROTTLED:
        return _code(error) != OUT_OF_CREDIT
    return status in (TIMED_OUT, CONFLICT) or (status is not None and status >= SERVER_FAULT)


def _pause(state: "RetryCallState") -> float:
    """Return the seconds to wait: what the server asks for, else twice as long each time, less up to half at random."""
    error = state.outcome.exception() if state.outcome else None
    grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (state.attempt_number - 1))
    asked = _asked_pause(error)
    return min(LONGEST_ASKED, asked) if asked is not None else grown * random.uniform(0.5, 1)


def _asked_pause(error: BaseException | None) -> float | None:
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        with contextlib.suppress(ValueError):
            return max(0.0, scale * float(_headers(error).get(name, "")))
    return None


def _headers(error: BaseException | None) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    return found


def _status(error: BaseException) -> int | None:
    found: Any = getattr(error, "status_code", None)
    return found if isinstance(found, int) else None


def _code(error: BaseException) -> str | None:
    found: Any = getattr(error, "code", None)
    return found if isinstance(found, str) else None


def _named(error: BaseException | None) -> str:
    status = None if error is None else _status(error)
    return type(error).__name__ + (f" ({status})" if status else "")
