"""Millions of vectors on one machine: `python -m benchmarks scale`.

Two million planted vectors of 384 dimensions (`benchmarks.planted`): `smec fit` trains one stage on a sample,
`smec compress` makes all of them eight times smaller, and 1,000 queries are searched before and after. Each step is a
process of its own, so that its largest resident memory is its own too; it is set against 3 GB, in bytes. Time is set
against a process that reads the same file and makes the bare matrix products with the same queries, and nothing else.
`python -m benchmarks.scale --rows 50000` tries it out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.common import Comparison, compare, record, single, want_ratio
from benchmarks.planted import Planted, write_planted
from smec.mapped import reopened
from smec.search import BLOCK_ROWS, exact_topk

MOST_BYTES = 3e9
DEPTH = 100
FOUND_AT = 10


def main() -> None:
    """Measure and print the table, or be one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--step", choices=sorted(STEPS), help="what a measured process does")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    if given.step:
        STEPS[given.step](*given.files)
    else:
        print(record("scale", measured(given.rows, 384, 48, 2000, 1000, 2, ["epochs=5"])))


def measure(toy: bool = False) -> list[Comparison]:
    """Measure at the size that the targets are for."""
    size: tuple[int, int, int, int, int, int, list[str]] = (2_000_000, 384, 48, 2000, 1000, 2, ["epochs=5"])
    if toy:
        size = (3000, 32, 8, 60, 40, 1, ["epochs=1", "batch_size=16"])
    # A process inherits the largest resident memory of the one that starts it, so that one has to be small.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as small:
        return small.submit(measured, *size).result()


def measured(
    rows: int, dim: int, size: int, train: int, asked: int, rounds: int, options: list[str]
) -> list[Comparison]:
    """Fit, compress and search, and return what each took."""
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Not in this process, which would pass the memory that it takes on to those that are measured.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as writer:
            planted = writer.submit(write_planted, folder, rows, dim, train, asked).result()
        _fit(planted, size, options, folder / "fitted", peaks)
        ours, bare = _compress(planted.corpus, size, folder, peaks)
        compressing = compare(ours, [bare], rounds, warm_up=False)
        _compress(planted.asked, size, folder, {})[0][1]()
        searching, found = [], {}
        for width, corpus, queries in (
            (dim, planted.corpus, planted.asked),
            (size, folder / f"corpus-{size}.npy", folder / f"asked-{size}.npy"),
        ):
            result = folder / f"found-{width}.npy"
            what = f"exact_topk, {rows} x {width} on disk, {asked} queries, top {DEPTH}"
            ours = (what, _step("search", peaks, what, corpus, queries, result))
            bare = ("read and bare matrix products", _step("read", {}, "", corpus, queries))
            searching += compare(ours, [bare], rounds, warm_up=False)
            found[width] = float((np.load(result)[:, :FOUND_AT] == planted.answers[:, None]).any(axis=1).sum())
    memory = [single(f"{what}: peak memory in bytes", "3 GB", peak, MOST_BYTES) for what, peak in peaks.items()]
    kept = single(f"planted neighbours in the first {FOUND_AT} at {dim}", f"at {size}", found[dim], found[size])
    return [
        *want_ratio(compressing, 3.0),
        *want_ratio(searching, 1.5),
        *want_ratio(memory, 1.0),
        *want_ratio([kept], 1.1),
    ]


def _fit(planted: Planted, size: int, options: list[str], output: Path, peaks: dict[str, float]) -> None:
    files = [f"--corpus={planted.corpus}", f"--queries={planted.queries}", f"--qrels={planted.qrels}"]
    given = [part for option in options for part in ("--set", option)]
    command = ["smec", "fit", *files, "--output", str(output), "--sizes", str(size), *given]
    rows, dim = np.load(planted.corpus, mmap_mode="r").shape
    _timed(command, peaks, f"smec fit, one stage, {rows} x {dim} to {size}")


def _compress(
    source: Path, size: int, folder: Path, peaks: dict[str, float]
) -> tuple[tuple[str, Callable[[], object]], tuple[str, Callable[[], object]]]:
    """Return what compresses a file, and what reads it and multiplies by one matrix."""
    rows, dim = np.load(source, mmap_mode="r").shape
    output = folder / f"{source.stem}-{size}.npy"
    command = ["smec", "compress", "--compressor", str(folder / "fitted"), "--size", str(size)]
    command += ["--input", str(source), "--output", str(output)]
    what = f"smec compress, {rows} x {dim} to {size}"
    weight = folder / "weight.npy"
    np.save(weight, np.random.default_rng(0).standard_normal((size, dim), dtype=np.float32))
    bare = "read and bare matrix product, nothing written"
    return (what, lambda: _timed(command, peaks, what)), (bare, _step("read", {}, "", source, weight))


def _step(step: str, peaks: dict[str, float], what: str, *files: Path) -> Callable[[], object]:
    command = ["benchmarks.scale", "--step", step, *map(str, files)]
    return lambda: _timed(command, peaks, what)


def _timed(command: list[str], peaks: dict[str, float], what: str) -> float:
    """Run a module in a process of its own, note its largest resident memory in bytes, and return its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed: {told[-2000:]}")
    peaks[what] = max(peaks.get(what, 0.0), used.ru_maxrss * 1024.0)
    return time.perf_counter() - began


class OnDisk:
    """An .npy file of vectors as a corpus to search."""

    def __init__(self, file: Path) -> None:
        self._map = np.load(file, mmap_mode="r")

    def __len__(self) -> int:
        return len(self._map)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        return np.array(reopened(self._map)[rows])


def search(corpus: Path, queries: Path, output: Path) -> None:
    """Write the rows of the best documents of each query, best first."""
    np.save(output, exact_topk(np.load(queries), OnDisk(corpus), DEPTH)[1])


def read(corpus: Path, queries: Path) -> None:
    """Multiply all documents by all queries, block by block, and keep nothing."""
    asked, documents = np.load(queries), OnDisk(corpus)
    scores = np.empty((len(asked), BLOCK_ROWS), dtype=np.float32)
    for first in range(0, len(documents), BLOCK_ROWS):
        block = documents[first : first + BLOCK_ROWS]
        np.matmul(asked, block.T, out=scores[:, : len(block)])


STEPS = {"search": search, "read": read}

if __name__ == "__main__":
    main()
