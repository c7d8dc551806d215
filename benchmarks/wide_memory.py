"""Memory of training at the paper's largest width: `python -m benchmarks wide_memory`.

`smec fit` on 3,000 random documents of 3,584 dimensions, one stage and a few steps, in a process of its own, with the
paper's recipe and an S-XBM of 5,000 vectors, and with `smec_plus` at its defaults: the largest resident memory of each
against 2 GiB. The two figures of a row are bytes, not seconds.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import Comparison, single, want_ratio

GIB = 2.0**30
MOST = 2 * GIB
FITS = {
    "smec fit, {width} dimensions, S-XBM 5000": ("smec", "memory_size=5000"),
    "smec fit of smec_plus, {width} dimensions, its defaults": ("smec_plus",),
}
"""What is measured: the method and the options it is given besides one epoch."""


def measure(toy: bool = False) -> list[Comparison]:
    """Fit once by each method and read off the process's memory."""
    width, documents, queries = (64, 300, 60) if toy else (3584, 3000, 300)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(0)
        corpus = random.normal(size=(documents, width)).astype(np.float32)
        np.save(folder / "corpus.npy", corpus)
        np.save(folder / "queries.npy", corpus[:queries] + random.normal(size=(queries, width)).astype(np.float32))
        lines = [f"{query}\t{query}\t1" for query in range(queries)]
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
        sizes = f"{width},{width // 2}"
        peaks = {name: _peak_bytes(folder, sizes, method, options) for name, (method, *options) in FITS.items()}
    named = {f"{name.format(width=width)}: peak memory in bytes": peak for name, peak in peaks.items()}
    return want_ratio([single(ours, "2 GiB", peak, MOST) for ours, peak in named.items()], 1.0)


def _peak_bytes(folder: Path, sizes: str, method: str, options: Sequence[str]) -> float:
    """Run `smec fit` and return the largest resident memory that the system saw of it."""
    files = [part for key in ("corpus", "queries") for part in (f"--{key}", str(folder / f"{key}.npy"))]
    files += ["--qrels", str(folder / "qrels.tsv"), "--output", str(folder / method)]
    given = [part for option in ("epochs=1", *options) for part in ("--set", option)]
    asked = ["--method", method, "--sizes", sizes, *given]
    fit = subprocess.Popen([sys.executable, "-m", "smec", "fit", *files, *asked], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(fit.pid, 0)
    if status:
        raise RuntimeError(f"smec fit of {method} failed")
    return used.ru_maxrss * 1024.0
