"""What the records of a run say of its fits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smec.errors import SmecError

if TYPE_CHECKING:
    from smec.analysis.convergence import Fit

CURVES = "validation_ndcg@10_by_size"


def fits_of(records: Sequence[Mapping[str, Any]], run: str) -> "list[Fit]":
    """Return what `record.json` of each stage of a run says of its fit.

    Raises:
        SmecError: a record holds no validation curve by size.
    """
    import numpy as np

    from smec.analysis.convergence import Fit

    found = []
    for record in records:
        if not record.get(CURVES):
            raise SmecError(
                f"The records of {run} hold no validation scores by size and epoch, so nothing can be said about its "
                "convergence. Name a run that learns by gradients; if it does, train it again with this version."
            )
        each = record["steps"] / len(record["loss"])
        done = np.arange(len(record["loss"]) + 1) * each
        quality = {int(size): np.array(curve) for size, curve in record[CURVES].items()}
        found.append(Fit(record["steps"], record["kept_epoch"] * each, done, quality))
    return found
