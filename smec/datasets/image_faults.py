"""Images that cannot be used: an error that names them, or left out, named in the manifest and counted."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from smec.errors import SmecError

FaultPolicy = Literal["error", "skip"]
MOST_TOLD = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Consequence:
    """What follows from a fault.

    Attributes:
        key: of the manifest, under which such faults are counted.
        stopped: the fault when it stops the job, after a number and before names; `{source}` is filled in.
        advice: what to do then, whole sentences.
        skipped: what happens when it is skipped, after a number.
    """

    key: str
    stopped: str
    advice: str
    skipped: str


LEFT_OUT = Consequence(
    key="images_left_out",
    stopped="of the images of {source} cannot be used",
    advice="Repair or remove them, or set `faults: skip` to go on without them.",
    skipped="images are left out",
)
NOT_ASKED = Consequence(
    key="queries_not_asked",
    stopped="of the images of {source} are to be queries and have nothing to find",
    advice="Add images of their classes, or set `faults: skip`: they are then documents only.",
    skipped="images are documents only and not asked",
)
LABEL_LEFT_OUT = Consequence(
    key="labels_left_out",
    stopped="of the label folders of {source} hold no image",
    advice="Fill or remove them, or set `faults: skip` to go on without them.",
    skipped="label folders are left out",
)


class Faults:
    """What is wrong with the images of one dataset."""

    def __init__(self, policy: FaultPolicy, source: str, quiet: bool = False) -> None:
        """Stop at the first faults or go on without these images, as `policy` says.

        Args:
            policy: what to do.
            source: where the images came from, for messages.
            quiet: log nothing about what is skipped.
        """
        self._policy = policy
        self._source = source
        self._quiet = quiet
        self._found: dict[str, dict[str, str]] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def add(self, kind: str, told: Mapping[str, str], consequence: Consequence = LEFT_OUT) -> None:
        """Take note of images with one kind of fault.

        Args:
            kind: key of the manifest under which they are listed.
            told: the fault of each image by its name.
            consequence: what follows.

        Raises:
            SmecError: there are some, and the policy is not to skip them.
        """
        if not told:
            return
        named = "; ".join(f"{name} ({fault})" for name, fault in list(told.items())[:MOST_TOLD])
        more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        if self._policy == "error":
            stopped = consequence.stopped.format(source=self._source)
            raise SmecError(f"{len(told)} {stopped}: {named}{more}. {consequence.advice}")
        if not self._quiet:
            logger.warning("%s: %d %s: %s%s", self._source, len(told), consequence.skipped, named, more)
        self._found[kind] = {**self._found.get(kind, {}), **told}
        counts = self._counts.setdefault(consequence.key, {})
        counts[kind] = counts.get(kind, 0) + len(told)

    def details(self) -> dict[str, object]:
        """Return the entries of the manifest: how many faults of each kind had which consequence, and each by name."""
        return {**self._counts, "faults": self._found} if self._found else {}
