"""Writing a table in the order of its ids without a second copy of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 8192


def write_sorted(table: pa.Table, by: Sequence[str], path: Path) -> None:
    """Write the rows of a table to a parquet file, ascending by the columns `by`.

    `Table.sort_by` makes a sorted copy, and `Table.take` joins all chunks before it takes a few rows. A corpus of
    millions of texts would be in memory twice, so each row group is picked from the chunks by itself.
    """
    order = np.from_dlpack(pc.sort_indices(table, [(name, "ascending") for name in by]))
    batches = table.to_batches()
    starts = np.cumsum([0, *(len(batch) for batch in batches)])
    with pq.ParquetWriter(path, table.schema, compression="zstd") as file:
        for first in range(0, max(1, len(order)), ROW_GROUP_ROWS):
            wanted = order[first : first + ROW_GROUP_ROWS].astype(np.int64)
            ascending = np.sort(wanted)
            cuts = np.searchsorted(ascending, starts)
            parts = [
                batch.take(pa.array(ascending[low:high] - start))
                for batch, start, low, high in zip(batches, starts, cuts, cuts[1:], strict=False)
                if low < high
            ]
            picked = pa.Table.from_batches(parts, table.schema).combine_chunks()
            file.write_table(picked.take(pa.array(np.searchsorted(ascending, wanted))), ROW_GROUP_ROWS)
