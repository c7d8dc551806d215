"""Methods that train the backbone itself, and so start from texts where the others start from vectors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from smec.errors import SmecError
from smec.method import FitJob, Fitted, Method, Schedule, Stage

MODEL_FOLDER = "model"
"""Where the trained model lies, beside its stage file."""
TRAINABLE = "sentence_transformer"
"""The kind of backbone that can be trained."""


class BackboneMethod(Method):
    """A method whose vectors come from a trained copy of the backbone; a size is a prefix of them.

    The rule `finetune` trains it and encodes the dataset anew. Its stage file holds no more than the prefixes, so that
    whatever reads a run reads this one too.
    """

    schedule: ClassVar[Schedule] = "joint"

    def fit(self, job: FitJob) -> Fitted:
        """Refuse: vectors are not enough.

        Raises:
            SmecError: always.
        """
        raise SmecError(
            f"The method {self.name!r} trains the backbone from texts and cannot be fitted on vectors alone. Use it in "
            "the workflow (see config/full_parameter.yaml), or choose another method."
        )

    def prefixes(self, sizes: tuple[int, ...], width: int) -> Stage:
        """Return the stage of a trained backbone: the leading rows of the identity.

        Args:
            sizes: numbers of dimensions, largest first.
            width: of the backbone.
        """
        rows = np.eye(max(sizes), width, dtype=np.float32)
        return Stage(self.name, {"weight": rows}, {size: "weight" for size in sizes})


def trained_settings(settings: Mapping[str, Any], stage: Path) -> dict[str, Any]:
    """Return the settings of the backbone that was trained, as `settings` of the one that it started from.

    Args:
        settings: of the frozen backbone.
        stage: folder of the stage file, relative to the folder of the workflow.
    """
    return {**settings, "model": f"./{stage / MODEL_FOLDER}", "revision": None, "sha256": None}
