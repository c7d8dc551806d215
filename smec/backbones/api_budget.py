"""Tokens, batches, money and pace of a paid API: estimated without its tokenizer, which only a network could bring."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smec.errors import SmecError
from smec.files import read_json, write_json

BYTES_PER_TOKEN = 3
"""English text has more than four bytes per token, so an estimate by three is above what is paid for."""
MILLION = 1e6
MINUTE = 60.0


def estimated_tokens(text: str) -> int:
    """Return how many tokens `text` has at most, for text in English: its bytes in UTF-8 by three, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def batches(texts: list[str], most_tokens: int, most_texts: int) -> Iterator[list[str]]:
    """Yield consecutive parts of `texts`, each as long as both limits allow, and at least one text long."""
    start, tokens = 0, 0
    for row, text in enumerate(texts):
        added = estimated_tokens(text)
        if row > start and (tokens + added > most_tokens or row - start == most_texts):
            yield texts[start:row]
            start, tokens = row, 0
        tokens += added
    if start < len(texts):
        yield texts[start:]


@dataclass
class Bill:
    """What has been spent on one store, and what may be; used by several threads.

    A job that is killed, or that fails and is sent again, goes on with the same bill once it is kept in a file.

    Attributes:
        price: US dollars per million tokens.
        ceiling: US dollars.
        tokens: spent, and reserved for requests under way.
        estimated: of the requests that the server has answered.
        counted: what it counted for them.
    """

    price: float
    ceiling: float
    tokens: int = 0
    estimated: int = 0
    counted: int = 0
    _file: Path | None = None
    _what: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cost(self, tokens: int) -> float:
        """Return the price of `tokens` in US dollars."""
        return tokens * self.price / MILLION

    def keep(self, file: Path, what: Mapping[str, Any]) -> None:
        """Go on with the bill in `file`, and write every further token there before it is spent.

        Args:
            file: beside the shards.
            what: server and model. A bill of another one is another bill.
        """
        self._file, self._what = file, dict(what)
        if file.exists():
            kept = read_json(file)
            if kept.get("of") == self._what:
                self.tokens, self.estimated, self.counted = kept["tokens"], kept["estimated"], kept["counted"]

    def close(self) -> None:
        """Remove the file: the store is finished, and what is spent on a new one is a new bill."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def reserve(self, estimated: int) -> int:
        """Put a request on the bill, and return at how many tokens: the estimate, or what such estimates came to.

        Raises:
            SmecError: the ceiling would be passed, because texts have more tokens than was estimated.
        """
        with self._lock:
            tokens = (
                -(-estimated * max(self.counted, self.estimated) // self.estimated) if self.estimated else estimated
            )
            if self.cost(self.tokens + tokens) > self.ceiling:
                raise SmecError(
                    f"The ceiling is reached: {self.cost(self.tokens):.2f} dollars are spent and the next request is "
                    f"estimated at {self.cost(tokens):.2f}, with max_cost: {self.ceiling:g}. Finished shards are kept. "
                    "Raise max_cost and run the step again."
                )
            self.tokens += tokens
            self._write()
            return tokens

    def settle(self, reserved: int, estimated: int, used: int) -> None:
        """Replace what a request was put on the bill for by what the server counted."""
        with self._lock:
            self.tokens += used - reserved
            self.estimated += estimated
            self.counted += used
            self._write()

    def _write(self) -> None:
        if self._file is not None:
            kept = {"of": self._what, "tokens": self.tokens, "estimated": self.estimated, "counted": self.counted}
            write_json(self._file, kept)


@dataclass
class Pace:
    """Begins requests evenly, no faster than two rates allow; used by several threads.

    Attributes:
        requests_per_minute: requests that may begin in a minute.
        tokens_per_minute: tokens that may be sent in a minute.
        clock: seconds, monotonic.
        sleep: waits.
    """

    requests_per_minute: float
    tokens_per_minute: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, tokens: int) -> None:
        """Return when a request of that many tokens may begin."""
        with self._lock:
            begin = max(self.clock(), self._next)
            self._next = begin + MINUTE * max(1 / self.requests_per_minute, tokens / self.tokens_per_minute)
        self.sleep(max(0.0, begin - self.clock()))
