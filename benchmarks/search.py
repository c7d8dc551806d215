"""Exact search against its peers and against the bare matrix products: `python -m benchmarks.search`.

100,000 documents of 384 dimensions, 1,000 queries, top 100, random unit vectors. Every rival is asked for exact inner
products on the CPU and given vectors that are already in memory in its own format; an index is built beforehand. Writes
results/benchmarks/search.csv and search.md.
"""

import argparse
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Comparison, compare, record, want_ratio
from smec.search import BLOCK_ROWS, exact_topk

Vectors = NDArray[np.float32]
Call = Callable[[], object]


def main() -> None:
    """Measure and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--documents", type=int, default=100_000)
    arguments.add_argument("--queries", type=int, default=1000)
    arguments.add_argument("--dimensions", type=int, default=384)
    arguments.add_argument("--k", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    print(record("search", measured(given.documents, given.queries, given.dimensions, given.k, given.rounds)))


def measure(toy: bool = False) -> list[Comparison]:
    """Compare at the size that the targets are for."""
    return measured(2000, 10, 16, 5, 1) if toy else measured(100_000, 1000, 384, 100, 7)


def measured(documents: int, count: int, dimensions: int, k: int, rounds: int) -> list[Comparison]:
    """Compare `count` queries for the best `k` of `documents`."""
    logging.disable(logging.INFO)
    queries, corpus = unit(count, dimensions, 0), unit(documents, dimensions, 1)
    size = f"{documents} x {dimensions}, {count} queries, top {k}"
    peers = [
        ("bare matrix products, numpy", products(queries, corpus)),
        ("faiss IndexFlatIP", faiss_flat(queries, corpus, k)),
        ("beir DenseRetrievalExactSearch", beir_exact(queries, corpus, k)),
        ("sentence-transformers semantic_search", semantic_search(queries, corpus, k)),
    ]
    ours = (f"smec exact_topk, {size}", lambda: exact_topk(queries, corpus, k))
    try:
        products_row, *library_rows = compare(ours, peers, rounds)
    finally:
        logging.disable(logging.NOTSET)
    return want_ratio([products_row], 1.5) + want_ratio(library_rows, 1.0)


def unit(rows: int, dimensions: int, seed: int) -> Vectors:
    """Return random unit vectors, float32 (rows, dimensions)."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dimensions), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def products(queries: Vectors, corpus: Vectors) -> Call:
    """Return the matrix products of the same blocks, with all threads of the BLAS, and nothing else."""
    scores = np.empty(len(queries) * BLOCK_ROWS, dtype=np.float32)

    def call() -> None:
        for first in range(0, len(corpus), BLOCK_ROWS):
            block = corpus[first : first + BLOCK_ROWS]
            np.matmul(queries, block.T, out=scores[: len(queries) * len(block)].reshape(len(queries), len(block)))

    return call


def faiss_flat(queries: Vectors, corpus: Vectors, k: int) -> Call:
    """Return a search of faiss' exact index."""
    import faiss

    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(corpus)
    return lambda: index.search(queries, k)


def beir_exact(queries: Vectors, corpus: Vectors, k: int) -> Call:
    """Return a search of beir, its model replaced by vectors that are there already."""
    import torch
    from beir.retrieval.search.dense import DenseRetrievalExactSearch

    class Precomputed:
        """Hands out the corpus in order."""

        given = 0

        def encode_queries(self, *_: object, **__: object) -> torch.Tensor:
            """Return all query vectors."""
            self.given = 0
            return torch.from_numpy(queries)

        def encode_corpus(self, documents: list[dict[str, str]], **_: object) -> torch.Tensor:
            """Return the vectors of the next documents."""
            self.given += len(documents)
            return torch.from_numpy(corpus[self.given - len(documents) : self.given])

    texts = {str(row): {"title": "", "text": ""} for row in range(len(corpus))}
    asked = {f"q{row}": "" for row in range(len(queries))}
    search = DenseRetrievalExactSearch(Precomputed())
    return lambda: search.search(texts, asked, k, "dot")


def semantic_search(queries: Vectors, corpus: Vectors, k: int) -> Call:
    """Return a search of sentence-transformers by inner product."""
    import torch
    from sentence_transformers.util import dot_score, semantic_search

    asked, stored = torch.from_numpy(queries), torch.from_numpy(corpus)
    return lambda: semantic_search(asked, stored, top_k=k, score_function=dot_score)


if __name__ == "__main__":
    main()
