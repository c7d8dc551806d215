"""Embeddings by OpenAI's API, or by any server that speaks it: estimated before the first call, paced, retried.

The key comes from the environment variable OPENAI_API_KEY alone; no setting, file or message holds it. A store is
written shard by shard, so a run that was stopped pays for no finished shard again.
"""

import logging
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from smec.backbones.api_budget import Bill, batches, estimated_tokens
from smec.backbones.base import BackboneSettings, check_dim, unit_rows
from smec.backbones.text_rows import TextRows
from smec.datasets import reading
from smec.errors import SmecError

if TYPE_CHECKING:
    from smec.backbones.api_calls import Caller

KEY = "OPENAI_API_KEY"
MOST_INPUTS = 2048
"""Texts that the API takes in one request."""
ESTIMATE_ROWS = 8192
BILL = "bill.json"
"""What an unfinished store has cost so far, in its folder."""

logger = logging.getLogger(__name__)


class OpenAISettings(BackboneSettings):
    """A model behind the embeddings API, and how it may be used."""

    shared_by_jobs: ClassVar[bool] = False
    loads_model: ClassVar[bool] = False
    kind: Literal["openai"] = Field(default="openai", description="A model behind OpenAI's embeddings API.")
    model: str = Field(default="text-embedding-3-large", description="Name of the model at the server.")
    dim: int = Field(default=3072, ge=1, description="Length of a vector of the model, checked at the first answer.")
    base_url: str = Field(
        default="https://api.openai.com/v1", description="Address of the API; of a compatible server for another one."
    )
    corpus_prompt: str = Field(default="", description="Text put before every document.")
    query_prompt: str = Field(default="", description="Text put before every query.")
    max_characters: int = Field(
        default=20_000, ge=1, description="A longer text is cut; the API refuses a text of more than 8192 tokens."
    )
    batch_tokens: int = Field(
        default=100_000, ge=1, description="Estimated tokens of a request at most; the API takes 300,000."
    )
    batch_size: int = Field(default=1024, ge=1, le=MOST_INPUTS, description="Texts of a request at most.")
    concurrency: int = Field(default=4, ge=1, description="Requests under way at once.")
    requests_per_minute: float = Field(default=3000, gt=0, description="Requests are begun no faster than this.")
    tokens_per_minute: float = Field(default=1_000_000, gt=0, description="Estimated tokens are sent no faster.")
    attempts: int = Field(
        default=8, ge=1, description="Tries of a request: throttling, faults of the server and lost connections pass."
    )
    timeout: float = Field(default=120, gt=0, description="Seconds that an answer may take.")
    price: float = Field(default=0.13, ge=0, description="US dollars per million tokens, for estimate and ceiling.")
    max_cost: float = Field(
        default=10, ge=0, description="US dollars that one store (one role of one dataset) may cost; checked before."
    )

    @field_validator("base_url")
    @classmethod
    def _holds_no_secret(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^@?#\s]+", url):
            raise ValueError("give an address such as http://localhost:8000/v1, without a user, a key or a query in it")
        return url.rstrip("/")

    def missing(self) -> str | None:
        """Say whether the key is missing (see the base class)."""
        if os.environ.get(KEY):
            return None
        return (
            f"The model {self.model!r} needs a key for {self.base_url}: set the environment variable {KEY} where the "
            "job runs (any text will do for a server without keys). Never write the key into a file of this project."
        )

    def prompt(self, role: str) -> str:
        """Return the text that is put before each text of `role`."""
        return self.corpus_prompt if role == "corpus" else self.query_prompt

    def sent(self, texts: Sequence[str], role: str) -> list[str]:
        """Return what is sent for each text: prompt and text, cut to `max_characters`; a blank for nothing at all."""
        return [(self.prompt(role) + text)[: self.max_characters] or " " for text in texts]

    def declared(self, role: str) -> dict[str, Any]:
        """Return server, model, prompt and where texts are cut (see the base class)."""
        return {
            "kind": self.kind,
            "base_url": self.base_url,
            "model": self.model,
            "prompt": self.prompt(role),
            "max_characters": self.max_characters,
        }


@dataclass(frozen=True)
class OpenAIBackbone:
    """A connection that asks for nothing until rows are wanted.

    Attributes:
        settings: how the API is used.
        caller: sends requests.
        bill: what has been spent, and what may be.
        identity: empty: the API tells no revision of a model.
        details: version of the client.
    """

    settings: OpenAISettings
    caller: "Caller"
    bill: Bill
    identity: dict[str, Any]
    details: dict[str, Any]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.settings.dim

    def encode(self, texts: Sequence[str], role: str) -> NDArray[np.float32]:
        """Return float32 (n, dim): unit vectors of the texts, in their order.

        Raises:
            SmecError: the key is refused, the ceiling is reached, or a request fails for good.
        """
        sent = self.settings.sent(texts, role)
        parts = batches(sent, self.settings.batch_tokens, self.settings.batch_size)
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            done = list(pool.map(self._vectors, parts))
        return unit_rows(np.concatenate(done))

    def rows(self, folder: Path, role: str) -> "PaidTextRows":
        """Return the encoder of one role of the dataset in `folder`.

        Raises:
            SmecError: the role holds no texts.
        """
        reading.texts(folder, role, 0, 1)
        return PaidTextRows(self, folder, role)

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        tokens = sum(map(estimated_tokens, texts))
        reserved = self.bill.reserve(tokens)
        try:
            vectors, used = self.caller.embed(texts, tokens)
        except SmecError:  # no answer, no price
            self.bill.settle(reserved, 0, 0)
            raise
        self.bill.settle(reserved, tokens, tokens if used is None else used)
        check_dim(vectors.shape[1], self.settings, f"The model {self.settings.model!r}")
        return vectors


@dataclass(frozen=True)
class PaidTextRows(TextRows):
    """Encodes ranges of rows for money."""

    backbone: OpenAIBackbone

    def begin(self, store: Path, missing: Sequence[tuple[int, int]]) -> None:
        """Estimate what the missing rows cost, beside what earlier attempts at this store have spent.

        Args:
            store: folder of the shards, where the bill is kept until all of them are there.
            missing: first row and the row after the last one, of each shard that is to be encoded.

        Raises:
            SmecError: both together are above `max_cost`.
        """
        settings, bill = self.backbone.settings, self.backbone.bill
        bill.keep(store / BILL, {"base_url": settings.base_url, "model": settings.model})
        total = sum(
            estimated_tokens(text)
            for first, last in missing
            for start in range(first, last, ESTIMATE_ROWS)
            for text in settings.sent(
                reading.texts(self.folder, self.role, start, min(start + ESTIMATE_ROWS, last)), self.role
            )
        )
        what = f"{self.role} of {self.folder}"
        logger.info("%s: about %d tokens, at most %.2f dollars", what, total, bill.cost(total))
        before = f"{bill.cost(bill.tokens):.2f} dollars were spent before, by {store / BILL}. " if bill.tokens else ""
        if before:
            logger.info("%s", before)
        if bill.cost(total + bill.tokens) > settings.max_cost:
            raise SmecError(
                f"Embedding the {what} with {settings.model!r} takes about {total:,} tokens, "
                f"{bill.cost(total):.2f} dollars at {settings.price} per million, which is more than "
                f"max_cost: {settings.max_cost} allows. {before}Nothing was sent. Raise max_cost if you mean it."
            )

    def end(self) -> None:
        """Close the bill: the store is whole."""
        self.backbone.bill.close()


def load(settings: OpenAISettings) -> OpenAIBackbone:
    """Make the client; nothing is sent.

    Raises:
        SmecError: the key is missing.
    """
    from smec.backbones.api_calls import Caller, version

    told = settings.missing()
    if told:
        raise SmecError(told)
    caller = Caller.of(settings, os.environ[KEY])
    return OpenAIBackbone(settings, caller, Bill(settings.price, settings.max_cost), {}, {"versions": version()})
