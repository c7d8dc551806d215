"""Tokens, batches, money and pace of a paid API: estimated without its tokenizer, which only a network could bring."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from smec.errors import SmecError

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

    Attributes:
        price: US dollars per million tokens.
        ceiling: US dollars.
        tokens: spent, and reserved for requests under way.
    """

    price: float
    ceiling: float
    tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cost(self, tokens: int) -> float:
        """Return the price of `tokens` in US dollars."""
        return tokens * self.price / MILLION

    def reserve(self, tokens: int) -> None:
        """Put the estimate of a request on the bill.

        Raises:
            SmecError: the ceiling would be passed, because texts have more tokens than was estimated.
        """
        with self._lock:
            if self.cost(self.tokens + tokens) > self.ceiling:
                raise SmecError(
                    f"The ceiling is reached: {self.cost(self.tokens):.2f} dollars are spent and the next request is "
                    f"estimated at {self.cost(tokens):.2f}, with max_cost: {self.ceiling:g}. Finished shards are kept. "
                    "Raise max_cost and run the step again."
                )
            self.tokens += tokens

    def settle(self, estimated: int, used: int) -> None:
        """Replace the estimate of a request by what the server counted."""
        with self._lock:
            self.tokens += used - estimated


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
