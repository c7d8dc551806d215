"""Threads that search for one part of the queries each, every one with a BLAS of a single thread."""

import contextlib
import functools
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from smec.candidates import Selector
from smec.query_part import QueryPart

FEWEST_QUERIES = 32
"""With fewer queries per thread than this the products are left to the threads of the BLAS."""

Work = Callable[[QueryPart, Selector], None]


class QueryWorkers:
    """As many workers as there are selectors, each with its share of the parts; a context.

    A worker does what it is given in order, and none waits for another. A single worker needs no thread: the caller
    does its work, with all threads of the BLAS.
    """

    def __init__(self, parts: Sequence[QueryPart], selectors: Sequence[Selector]) -> None:
        """Share out `parts`, one selector per worker."""
        self._shares = [(own, parts[place :: len(selectors)]) for place, own in enumerate(selectors)]
        self._pools: list[ThreadPoolExecutor] = []
        self._running: deque[list[Future[None]]] = deque()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "QueryWorkers":
        if len(self._shares) > 1:
            self._stack.enter_context(_controller().limit(limits=1, user_api="blas"))
            for _ in self._shares:
                self._pools.append(ThreadPoolExecutor(1))
                self._stack.callback(self._pools[-1].shutdown, cancel_futures=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def do(self, work: Work, ahead: int) -> None:
        """Have every worker do `work` on its parts, and wait until none is more than `ahead` calls behind.

        What a worker raises is raised here, at this call or a later one.
        """
        if not self._pools:
            for own, parts in self._shares:
                _each(work, parts, own)
            return
        calls = zip(self._pools, self._shares, strict=True)
        self._running.append([pool.submit(_each, work, parts, own) for pool, (own, parts) in calls])
        while len(self._running) > ahead:
            for future in self._running.popleft():
                future.result()


def cut(queries: int, most: int, workers: int) -> list[tuple[int, int]]:
    """Return where to cut the queries: parts of at most `most`, a multiple of `workers` unless they would be tiny."""
    parts = -(-queries // most)
    if queries >= workers * FEWEST_QUERIES:
        parts = -(-parts // workers) * workers
    cuts = np.linspace(0, queries, parts + 1).round().astype(int).tolist()
    return list(itertools.pairwise(cuts))


def blas_threads() -> int:
    """Return how many threads the BLAS may use: the cores, or what OMP_NUM_THREADS and its like allow."""
    threads = [library["num_threads"] for library in _controller().info() if library["user_api"] == "blas"]
    return max(threads, default=1)


def _each(work: Work, parts: Sequence[QueryPart], own: Selector) -> None:
    for part in parts:
        work(part, own)


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
