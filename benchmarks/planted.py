"""Vectors as an encoder gives them, in files of any length: a spectrum that decays, and a near document per query.

Axis i has the standard deviation (1 + i)^-0.5, in a basis that is turned at random, so that no single dimension matters
more than another. A query is its document with noise whose spectrum is flat: what is noise lies in the weak axes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1 << 16
NOISE = 0.9
"""Length of the noise of a query, of a document of length 1."""


@dataclass(frozen=True)
class Planted:
    """Files of planted vectors, float32, unit length.

    Attributes:
        corpus: .npy of the documents.
        queries: .npy of queries to learn from.
        qrels: .tsv with the document of each of them.
        asked: .npy of further queries.
        answers: int64, the row of the document of each of those.
    """

    corpus: Path
    queries: Path
    qrels: Path
    asked: Path
    answers: NDArray[np.int64]


def write_planted(folder: Path, rows: int, dim: int, train: int, asked: int, seed: int = 0) -> Planted:
    """Write `rows` documents block by block, `train` queries with judgements and `asked` without."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((dim, dim)))[0].astype(np.float32)
    axes = (np.arange(1, dim + 1, dtype=np.float32) ** -0.5)[:, None] * basis
    chosen = random.choice(rows, size=train + asked, replace=False)
    near = np.empty((train + asked, dim), dtype=np.float32)
    corpus = np.lib.format.open_memmap(folder / "corpus.npy", "w+", np.float32, (rows, dim))
    for start in range(0, rows, BLOCK_ROWS):
        block = _unit(random.standard_normal((min(BLOCK_ROWS, rows - start), dim), dtype=np.float32) @ axes)
        corpus[start : start + len(block)] = block
        inside = (chosen >= start) & (chosen < start + len(block))
        near[inside] = block[chosen[inside] - start]
    corpus.flush()
    noise = _unit(random.standard_normal(near.shape, dtype=np.float32))
    queries = _unit(near + NOISE * noise)
    np.save(folder / "queries.npy", queries[:train])
    np.save(folder / "asked.npy", queries[train:])
    lines = [f"{query}\t{row}\t1" for query, row in enumerate(chosen[:train].tolist())]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
    names = ("corpus.npy", "queries.npy", "qrels.tsv", "asked.npy")
    return Planted(*(folder / name for name in names), chosen[train:])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
