"""Images that cannot be used: an error that names them, or left out, named in the manifest and counted."""

import logging
from collections.abc import Mapping
from typing import Literal

from smec.errors import SmecError

FaultPolicy = Literal["error", "skip"]
MOST_TOLD = 5

logger = logging.getLogger(__name__)


class Faults:
    """What is wrong with the images of one dataset."""

    def __init__(self, policy: FaultPolicy, source: str) -> None:
        """Stop at the first faults or go on without these images, as `policy` says; `source` is for messages."""
        self._policy = policy
        self._source = source
        self._found: dict[str, dict[str, str]] = {}

    def add(self, kind: str, told: Mapping[str, str]) -> None:
        """Take note of images with one kind of fault.

        Args:
            kind: key of the manifest under which they are listed.
            told: the fault of each image by its name.

        Raises:
            SmecError: there are some, and the policy is not to skip them.
        """
        if not told:
            return
        named = "; ".join(f"{name} ({fault})" for name, fault in list(told.items())[:MOST_TOLD])
        more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        if self._policy == "error":
            raise SmecError(
                f"{len(told)} of the images of {self._source} cannot be used: {named}{more}. Repair or remove them, or "
                "set `faults: skip` to go on without them."
            )
        logger.warning("%s: %d images are left out: %s%s", self._source, len(told), named, more)
        self._found[kind] = {**self._found.get(kind, {}), **told}

    def details(self) -> dict[str, object]:
        """Return the entry of the manifest: how many images were left out, and each by kind and name."""
        counts = {kind: len(told) for kind, told in self._found.items()}
        return {"images_left_out": counts, "faults": self._found} if self._found else {}
