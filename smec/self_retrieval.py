"""Self-retrieval: whether a query that is also a document may find itself, by the dataset's declared policy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smec.datasets import reading


def excluded_rows(data: Path) -> NDArray[np.int64] | None:
    """Return for each query the corpus row of the document with the same id, int64 (queries,), -1 for none.

    None where the dataset's manifest does not ask to exclude self-retrieval.
    """
    if not reading.manifest(data)["exclude_self"]:
        return None
    return reading.documents_of_the_same_id(data)
