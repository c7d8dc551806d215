"""Reading a fitted chain: which dimensions of its start each size still has, and its map before it selected any."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smec.errors import SmecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from smec.method import Stage
    from smec.sides import Sides


def require_selection(options: Any, run: str) -> None:
    """Check that the dimensions of a run can be followed from the first stage to the last.

    Raises:
        SmecError: the run is no chain of selections, rotates its dimensions between stages, or pulls them back.
    """
    reasons = {
        "it has no `selection`": not hasattr(options, "selection"),
        "`rotation` mixes the dimensions between its stages": getattr(options, "rotation", "none") != "none",
        "`pull_back` turns its dimensions onto other axes": getattr(options, "pull_back", False),
    }
    for reason, holds in reasons.items():
        if holds:
            raise SmecError(
                f"The dimensions that {run} keeps cannot be told apart: {reason}. Name a chain such as smec, with "
                "`rotation: none` and `pull_back: false`."
            )


def kept_dimensions(stages: "Sequence[Stage]") -> "dict[int, NDArray[np.int64]]":
    """Return for each size below the width the rows of the start that are left, int64 (size,), ascending.

    Each stage stores which of the rows that it was given it selected; rows keep their order.

    Raises:
        SmecError: a stage stores no selection, because its method serves all sizes from one map.
    """
    import numpy as np

    found: dict[int, NDArray[np.int64]] = {}
    left: NDArray[np.int64] | None = None
    for stage in stages:
        if "selected" not in stage.tensors:
            raise SmecError(f"A stage of {stage.method} does not say what it selected. Name a chain such as smec.")
        selected = np.asarray(stage.tensors["selected"], dtype=np.int64)
        left = selected if left is None else left[selected]
        found[len(left)] = left
    return found


def first_map(stage: "Stage", width: int) -> "Sides[NDArray[np.float32]]":
    """Return the maps of the first stage with all their rows, in the order of their start, float32 (width, M) each.

    Raises:
        SmecError: the stage does not serve the full width, so it stores the selected rows alone.
    """
    import numpy as np

    if width not in stage.outputs:
        raise SmecError(
            f"The first stage stores no map of all {width} dimensions. Put {width} first among the `sizes` of the "
            "experiment, or leave the space `trained` out of the study."
        )
    matrices = stage.matrices(stage.outputs[width])
    if stage.outputs[width] != "weight":  # levels: separate
        return matrices
    selected = stage.tensors["selected"]
    place = np.argsort(np.concatenate([selected, np.setdiff1d(np.arange(width), selected)]))
    return matrices.each(lambda stored: stored[place])
