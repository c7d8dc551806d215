"""The protocol of a compression method: what it is given, what it leaves on disk, what it must be able to do.

A method is one file in `smec/compressors/` whose module is named as the method and that ends in `METHOD = MyMethod()`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.files import atomic_path
from smec.settings import Settings
from smec.sides import Sides, tensors_named
from smec.training_data import TrainingData

METADATA_ENTRY = "smec"

Schedule = Literal["chain", "per_size", "joint"]
"""How the sizes of a method depend on each other.

- `chain`: one job per size, each reads only the file of the next larger size.
- `per_size`: one independent job per size.
- `joint`: one job that serves all sizes.
"""


class Compressor(Protocol):
    """A fitted compressor: plain numpy, so that using one never imports a training library."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of dimensions that it can produce, largest first."""
        ...

    def transform(self, vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Compress unit vectors, float32 (n, M), to unit vectors, float32 (n, size), row by row."""
        ...


@dataclass(frozen=True)
class Stage:
    """The content of one `compressor.safetensors`.

    Attributes:
        method: name of the method that made it.
        tensors: what a compressor is built from.
        outputs: for each size that this stage serves, the matrix whose first rows produce it: the name of its tensor,
            or what the names of two begin with, where queries and documents have a map each.
    """

    method: str
    tensors: Mapping[str, NDArray[Any]]
    outputs: Mapping[int, str]

    def matrices(self, name: str) -> Sides[NDArray[Any]]:
        """Return the matrix of each side that `name` stands for."""
        return tensors_named(name, self.tensors)

    def save(self, path: Path) -> None:
        """Write atomically; equal stages give equal bytes."""
        from safetensors.numpy import save

        # One entry, because safetensors writes several in an order that differs from run to run.
        described = {"method": self.method, "outputs": {str(size): name for size, name in self.outputs.items()}}
        metadata = {METADATA_ENTRY: json.dumps(described)}
        with atomic_path(path) as temporary:
            temporary.write_bytes(save({k: np.ascontiguousarray(v) for k, v in self.tensors.items()}, metadata))

    @staticmethod
    def load(path: Path) -> "Stage":
        """Read a stage.

        Raises:
            SmecError: the file is missing, damaged, or not one of ours.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as stored:
                metadata = stored.metadata() or {}
                tensors = {name: stored.get_tensor(name) for name in sorted(stored.keys())}
        except (OSError, SafetensorError) as error:
            told = f"{path} cannot be read as a compressor ({error}). Delete it and train it again."
            raise SmecError(told) from error
        if METADATA_ENTRY not in metadata:
            raise SmecError(f"{path} is a safetensors file, but not one that smec wrote: it names no method.")
        described = json.loads(metadata[METADATA_ENTRY])
        outputs = {int(size): name for size, name in described["outputs"].items()}
        return Stage(method=described["method"], tensors=tensors, outputs=outputs)


@dataclass(frozen=True)
class FitJob:
    """One job: fit one stage.

    Attributes:
        data: vectors and judgements to learn from.
        sizes: all sizes of the run, largest first; the first may equal the width of the backbone.
        size: the size that this job is to produce; None where one fit serves all sizes.
        options: the method's own `Options`.
        seed: of everything random.
        previous: in a chain, the stage of the next larger size; None at the first one.
        checkpoint: where a long fit may leave its state to resume from.
    """

    data: TrainingData
    sizes: tuple[int, ...]
    size: int | None
    options: Any
    seed: int
    previous: Stage | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Fitted:
    """What a fit returns: the stage for the disk, and what happened on the way for `record.json`."""

    stage: Stage
    record: dict[str, Any] = field(default_factory=dict)


class Method(ABC):
    """A compression method; stateless, one instance per module."""

    name: ClassVar[str]
    schedule: ClassVar[Schedule]
    seeded: ClassVar[bool] = True
    """False where the result does not depend on the seed: the workflow then runs one seed only."""
    Options: ClassVar[type[Settings]]

    @abstractmethod
    def fit(self, job: FitJob) -> Fitted:
        """Learn one stage from the training data alone."""

    def compressors(self, stages: Sequence[Stage]) -> Sides[Compressor]:
        """Build what compresses queries and what compresses documents from the stages of a run, in order of fitting."""
        from smec.linear import LinearCompressor

        return LinearCompressor.from_stages(stages)


def stage_names(schedule: Schedule, sizes: Sequence[int], width: int) -> tuple[str, ...]:
    """Return the names of the stages of a run, in order: `all`, or `dim192`, `dim96`, ...

    In a chain the first stage produces the full width along with the next size (SMEC, step 1: loss at N and N/2), so
    the full width has no stage of its own.
    """
    if schedule == "joint":
        return ("all",)
    staged = [size for size in sizes if schedule == "per_size" or size < width]
    return tuple(f"dim{size}" for size in staged)
