"""Time rivals in one run, alternating, and keep the ratios: seconds of a shared machine mean little, ratios hold.

Each module beside this one has a function `measure(toy: bool) -> list[Comparison]`; `toy` asks for sizes at which only
the wiring can be tested. `python -m benchmarks` runs them.
"""

import csv
import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
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
        target: what is asked for.
        met: whether it was reached; of a ratio, by the median.
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
    target: str
    met: str
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
    ours: tuple[str, Callable[[], object]],
    peers: Sequence[tuple[str, Callable[[], object]]],
    rounds: int = 5,
    warm_up: bool = True,
) -> list[Comparison]:
    """Call ours and every peer in turn, `rounds` times, by default after one warm-up, and return one row per peer."""
    callables = [ours, *peers]
    for _, call in callables if warm_up else ():
        call()
    seconds: list[list[float]] = [[] for _ in callables]
    for _ in range(rounds):
        for spent, (_, call) in zip(seconds, callables, strict=True):
            began = time.perf_counter()
            call()
            spent.append(time.perf_counter() - began)
    return [_row(ours[0], peer[0], seconds[0], spent) for peer, spent in zip(peers, seconds[1:], strict=True)]


def want_ratio(rows: Sequence[Comparison], most: float) -> list[Comparison]:
    """Return the rows with the target that our time is at most `most` times the peer's."""
    return [replace(row, target=f"ratio <= {most:g}", met=_yes(row.ratio <= most)) for row in rows]


def want_seconds(rows: Sequence[Comparison], most: float) -> list[Comparison]:
    """Return the rows with the target that ours takes at most `most` seconds."""
    return [replace(row, target=f"{most:g} s", met=_yes(row.ours_seconds <= most)) for row in rows]


def on_threads(rows: Sequence[Comparison], threads: int) -> list[Comparison]:
    """Return the rows with the number of threads that they were measured on."""
    return [replace(row, threads=str(threads)) for row in rows]


def single(ours: str, peer: str, ours_seconds: float, peer_seconds: float) -> Comparison:
    """Return a row of two figures that were not timed in turns."""
    return _row(ours, peer, [ours_seconds], [peer_seconds])


def record(name: str, rows: Sequence[Comparison], folder: Path = FOLDER) -> str:
    """Write `rows` to the table `name`, .csv and .md, and return them as text.

    A row of an earlier run stays unless the same comparison on the same number of threads is among `rows`.
    """
    path = folder / f"{name}.csv"
    columns = [field.name for field in fields(Comparison)]
    new = [{key: _text(value) for key, value in asdict(row).items()} for row in rows]
    kept: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            measured = {_identity(row) for row in new}
            old = [{name: row.get(name) or "" for name in columns} for row in csv.DictReader(stream)]
            kept = [row for row in old if _identity(row) not in measured]
    kept += new
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(kept)
    write_text(path.with_suffix(".md"), tabulate(kept, headers="keys", tablefmt="github", disable_numparse=True) + "\n")
    return tabulate(new, headers="keys", tablefmt="simple", disable_numparse=True)


def _identity(row: dict[str, str]) -> tuple[str, str, str]:
    return row["ours"], row["peer"], row["threads"]


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def _row(ours: str, peer: str, ours_spent: Sequence[float], peer_spent: Sequence[float]) -> Comparison:
    ratios = [a / b for a, b in zip(ours_spent, peer_spent, strict=True)]
    return Comparison(
        ours=ours,
        peer=peer,
        target="",
        met="",
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
