"""Score a compressor on judged queries: compress, search, measure; one value per query, size and metric."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.judgements import Judgements
from smec.method import Compressor
from smec.metrics import DEPTH, METRICS, evaluable, per_query
from smec.search import BLOCK_ROWS, Corpus, exact_topk
from smec.sides import Sides

LOGGER = logging.getLogger(__name__)

TILE_ROWS = 4096
SCHEMA = pa.schema([("query_id", pa.string()), ("dim", pa.int32()), ("metric", pa.string()), ("value", pa.float64())])


class QueryVectors(Protocol):
    """Vectors that are read by row, such as an embedding store."""

    def __len__(self) -> int: ...

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of `rows`, float32 (len(rows), M)."""
        ...


class CompressedCorpus:
    """A corpus seen through a compressor: `view[a:b]` compresses those rows when they are asked for.

    Rows are compressed in tiles of 4096 that start at multiples of 4096 of the corpus, and the last tile is kept. So a
    vector never depends, not even in its last bit, on which slice it was asked for in.
    """

    def __init__(self, corpus: Corpus, compressor: Compressor, size: int) -> None:
        """View `corpus`, unit vectors of M dimensions, at `size` dimensions."""
        self._corpus = corpus
        self._compressor = compressor
        self._size = size
        self._kept: tuple[int, NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return len(self._corpus)

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Return float32 (b - a, size): the compressed vectors of the rows `a:b`."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise TypeError("A CompressedCorpus is read by slices with step 1.")
        if start >= stop:
            return np.empty((0, self._size), dtype=np.float32)
        first = start - start % TILE_ROWS
        tiles = [self._tile(at) for at in range(first, stop, TILE_ROWS)]
        joined = tiles[0] if len(tiles) == 1 else np.concatenate(tiles)
        return joined[start - first : stop - first]

    def _tile(self, first: int) -> NDArray[np.float32]:
        if self._kept is None or self._kept[0] != first:
            vectors = np.asarray(self._corpus[first : min(first + TILE_ROWS, len(self))], dtype=np.float32)
            self._kept = first, self._compressor.transform(vectors, self._size)
        return self._kept[1]


def evaluate(
    compressors: Sides[Compressor],
    queries: QueryVectors,
    corpus: Corpus,
    judgements: Judgements,
    query_ids: Sequence[str],
    sizes: Sequence[int],
    exclude_rows: NDArray[np.int64] | None = None,
    block_rows: int = BLOCK_ROWS,
    device: str | None = None,
) -> pa.Table:
    """Return the score of every judged query at every size.

    Queries without a relevant document are left out, and the log says how many (see `smec.metrics`).

    Args:
        compressors: of queries and of documents; they make unit vectors of each of `sizes`.
        queries: vectors of all queries of the dataset, unit length.
        corpus: vectors of all documents, unit length.
        judgements: of the queries to score, all grades; rows of `queries` and of `corpus`.
        query_ids: ids of all queries, by row of `queries`.
        sizes: numbers of dimensions to score at, in the order of the result.
        exclude_rows: int64 (len(queries),), a document that each query must not find (itself), -1 for none.
        block_rows: documents scored at once; the result does not depend on it.
        device: a torch device for the search; None means numpy on the CPU.

    Returns:
        A table of query_id (string), dim (int32), metric (string), value (float64), ordered by size, metric, query.

    Raises:
        SmecError: the compressor lacks a size, ids or judgements do not fit the stores, or no query can be scored.
    """
    _check(compressors.corpus, queries, corpus, judgements, query_ids, sizes)
    judged = evaluable(judgements)
    left_out = len(judgements) - len(judged)
    if len(judged) == 0:
        raise SmecError(
            f"None of the {len(judgements)} queries to evaluate has a relevant document. Check the judgements and the "
            "split of the dataset."
        )
    if left_out:
        LOGGER.info("%d of %d queries have no relevant document and are not evaluated", left_out, len(judgements))
    excluded = None if exclude_rows is None else exclude_rows[judged.query_rows]
    vectors = queries.gather(judged.query_rows)
    names = [query_ids[row] for row in judged.query_rows.tolist()]
    tables = []
    for size in sizes:
        view = CompressedCorpus(corpus, compressors.corpus, size)
        _, rows = exact_topk(compressors.queries.transform(vectors, size), view, DEPTH, block_rows, excluded, device)
        tables.append(_tidy(names, size, per_query(judged, rows)))
    return pa.concat_tables(tables).combine_chunks()


def _tidy(names: list[str], size: int, values: dict[str, NDArray[np.float64]]) -> pa.Table:
    count = len(names)
    columns: dict[str, Any] = {
        "query_id": names * len(METRICS),
        "dim": np.full(count * len(METRICS), size, dtype=np.int32),
        "metric": np.repeat(METRICS, count).tolist(),
        "value": np.concatenate([values[metric] for metric in METRICS]),
    }
    return pa.table(columns, schema=SCHEMA)


def _check(
    compressor: Compressor,
    queries: QueryVectors,
    corpus: Corpus,
    judgements: Judgements,
    query_ids: Sequence[str],
    sizes: Sequence[int],
) -> None:
    missing = [size for size in sizes if size not in compressor.sizes]
    if missing:
        raise SmecError(f"The run was not fitted for {missing} dimensions; it has {list(compressor.sizes)}.")
    if len(query_ids) != len(queries):
        raise SmecError(
            f"The dataset lists {len(query_ids)} queries and their embedding store has {len(queries)} rows. "
            "Delete the store and embed the queries again."
        )
    if len(judgements.corpus_rows) and judgements.corpus_rows.max() >= len(corpus):
        raise SmecError(
            f"The judgements name document row {judgements.corpus_rows.max()} and the corpus store has {len(corpus)} "
            "rows. Delete the store and embed the corpus again."
        )
