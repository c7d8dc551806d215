"""Time rivals in one run, alternating, and keep the ratios: seconds of a shared machine mean little, ratios hold.

results/benchmarks/{name}.csv   every measurement so far, one row per comparison
results/benchmarks/{name}.md    the same as a table
"""

import csv
import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tabulate import tabulate

from smec.files import atomic_path, write_text

FOLDER = Path("results/benchmarks")


@dataclass(frozen=True)
class Comparison:
    """One row: how long ours takes as a multiple of the peer's time, both timed in turn.

    Attributes:
        ours: what was measured.
        peer: what it was measured against.
        ratio: median over rounds of our time / the peer's time; below 1 is faster.
        lowest: smallest ratio of a round.
        highest: largest ratio of a round.
        ours_seconds: median time.
        peer_seconds: median time.
        rounds: number of rounds.
        threads: OMP_NUM_THREADS, or the number of cores.
        load: load average of the machine at the end: above the number of cores the figures are noisy.
        machine: processor.
        day: date.
    """

    ours: str
    peer: str
    ratio: float
    lowest: float
    highest: float
    ours_seconds: float
    peer_seconds: float
    rounds: int
    threads: str
    load: float
    machine: str
    day: str


def compare(
    ours: tuple[str, Callable[[], object]], peers: Sequence[tuple[str, Callable[[], object]]], rounds: int = 5
) -> list[Comparison]:
    """Call ours and every peer in turn, `rounds` times after one warm-up, and return one row per peer."""
    callables = [ours, *peers]
    for _, call in callables:
        call()
    seconds: list[list[float]] = [[] for _ in callables]
    for _ in range(rounds):
        for spent, (_, call) in zip(seconds, callables, strict=True):
            began = time.perf_counter()
            call()
            spent.append(time.perf_counter() - began)
    return [_row(ours[0], peer[0], seconds[0], spent) for peer, spent in zip(peers, seconds[1:], strict=True)]


def record(name: str, rows: Sequence[Comparison], folder: Path = FOLDER) -> str:
    """Append `rows` to the table `name` and return the rows as text."""
    path = folder / f"{name}.csv"
    columns = [field.name for field in fields(Comparison)]
    kept: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            kept = list(csv.DictReader(stream))
    kept += [{key: _text(value) for key, value in asdict(row).items()} for row in rows]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(kept)
    write_text(path.with_suffix(".md"), tabulate(kept, headers="keys", tablefmt="github", disable_numparse=True) + "\n")
    return tabulate(kept[-len(rows) :], headers="keys", tablefmt="simple", disable_numparse=True)


def _row(ours: str, peer: str, ours_spent: Sequence[float], peer_spent: Sequence[float]) -> Comparison:
    ratios = [a / b for a, b in zip(ours_spent, peer_spent, strict=True)]
    return Comparison(
        ours=ours,
        peer=peer,
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        ours_seconds=statistics.median(ours_spent),
        peer_seconds=statistics.median(peer_spent),
        rounds=len(ratios),
        threads=os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
        load=os.getloadavg()[0],
        machine=_processor(),
        day=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        if names:
            return f"{names[0]}, {os.cpu_count()} cores"
    return platform.processor() or platform.machine()


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
