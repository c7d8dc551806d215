"""Memory of training at the paper's largest width: `python -m benchmarks wide_memory`.

`smec fit` with the paper's recipe on 3,000 random documents of 3,584 dimensions, S-XBM of 5,000 vectors, one stage and
a few steps, in a process of its own: the largest resident memory against 2 GiB. The two figures are bytes, not seconds.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import Comparison, single, want_ratio

GIB = 2.0**30
MOST = 2 * GIB


def measure(toy: bool = False) -> list[Comparison]:
    """Fit once and read off the process's memory."""
    width, documents, queries = (64, 300, 60) if toy else (3584, 3000, 300)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(0)
        corpus = random.normal(size=(documents, width)).astype(np.float32)
        np.save(folder / "corpus.npy", corpus)
        np.save(folder / "queries.npy", corpus[:queries] + random.normal(size=(queries, width)).astype(np.float32))
        lines = [f"{query}\t{query}\t1" for query in range(queries)]
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
        peak = _peak_bytes(folder, f"{width},{width // 2}")
    ours = f"smec fit, {width} dimensions, S-XBM 5000: peak memory in bytes"
    return want_ratio([single(ours, "2 GiB", peak, MOST)], 1.0)


def _peak_bytes(folder: Path, sizes: str) -> float:
    """Run `smec fit` and return the largest resident memory that the system saw of it."""
    files = [part for key in ("corpus", "queries") for part in (f"--{key}", str(folder / f"{key}.npy"))]
    files += ["--qrels", str(folder / "qrels.tsv"), "--output", str(folder / "fitted")]
    options = ["--method", "smec", "--sizes", sizes, "--set", "epochs=1", "--set", "memory_size=5000"]
    fit = subprocess.Popen([sys.executable, "-m", "smec", "fit", *files, *options], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(fit.pid, 0)
    if status:
        raise RuntimeError("smec fit failed")
    return used.ru_maxrss * 1024.0
