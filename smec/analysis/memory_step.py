"""One training step of a chain's first stage on a full memory, to be timed and weighed."""

from collections import deque

import numpy as np
import torch
from torch import Tensor

from smec.analysis.memory import buffer_bytes, peak_bytes, useful_neighbours, vector_numbers
from smec.analysis.timing import Stopwatch
from smec.batches import Batch, BatchSampler
from smec.memory import SelectiveMemory
from smec.objective import MatryoshkaObjective
from smec.options import SmrlOptions
from smec.sides import starting_at
from smec.stage_map import build_stage_map
from smec.training import training_device
from smec.training_data import TrainingData


def training_stream(data: TrainingData, options: SmrlOptions, memory: int, count: int) -> tuple[list[Batch], Tensor]:
    """Return `count` batches, and the vectors that training has seen before them.

    Args:
        data: to train on.
        options: say what a batch is.
        memory: how many vectors, at the most, are asked for.
        count: number of batches.

    Returns:
        The batches, and float (memory, M), the last of the vectors that a memory would have been given, newest last.
    """
    sampler = BatchSampler(data, options, seed=0, device=training_device())
    seen: deque[Tensor] = deque([data_rows(batch) for batch in sampler.epoch()])
    while sum(map(len, seen)) < memory:
        seen.extend(data_rows(batch) for batch in sampler.epoch())
    batches: list[Batch] = []
    while len(batches) < count:
        batches.extend(sampler.epoch())
    vectors = torch.cat(list(seen))
    return batches[:count], vectors[len(vectors) - memory :]


def data_rows(batch: Batch) -> Tensor:
    """Return the frozen vectors that a batch leaves in a memory, float (2 B, M)."""
    return torch.cat([batch.queries, batch.documents[batch.positive]])


class MemoryStep:
    """Forward and backward of the first stage, with its memory as full as training fills it."""

    def __init__(self, options: SmrlOptions, data: TrainingData, keep: int, batches: list[Batch], seen: Tensor) -> None:
        """Prepare.

        Args:
            options: of the run; `memory_size` and `alpha` are what differs between rivals.
            data: to train on.
            keep: dimensions that the stage selects.
            batches: a step takes one after the other; the last one is kept for `amounts`.
            seen: float (n, M), the vectors before them, oldest first.
        """
        device = training_device()
        self._options, self._batches, self._turn = options, batches, 0
        start = starting_at(data.basis(options.basis, options.shrinkage), options.maps)
        self._map = build_stage_map(options, data, start, keep, seed=0).to(device)
        self._generator = torch.Generator().manual_seed(0)
        self._objective = MatryoshkaObjective(options, data.width, device)
        if self._objective.memory is not None:
            self._objective.memory.enqueue(seen.to(device))

    def timed(self) -> tuple[float, float]:
        """Make a step with the next batch; return the seconds of its forward half and of all of it."""
        batch = self._batches[self._turn]
        self._turn += 1
        self._map.zero_grad()
        watch = Stopwatch(_finish)
        loss = self._forward(batch)
        forward = watch.lap()
        torch.autograd.backward(loss)
        return forward, watch.lap()

    def amounts(self) -> dict[str, float]:
        """Return the bytes that a step and its memory take, how many vectors that holds, and what it serves.

        This makes steps of its own: take the times before.
        """
        memory, queries = self._objective.memory, data_rows(self._batches[-1])
        if memory is None:
            return {"memory bytes": 0, "step bytes": self._step_bytes()}
        stored = memory.features[: int(memory.filled)].cpu().numpy()
        return {
            "memory bytes": buffer_bytes(memory),
            "search bytes": peak_bytes(lambda: memory.nearest(queries, self._options.neighbours)),
            "filled": len(stored),
            "different vectors": len(np.unique(vector_numbers(stored)[0])),
            "useful neighbours": _useful(memory, queries, self._options.neighbours),
            "step bytes": self._step_bytes(),
        }

    def _forward(self, batch: Batch) -> Tensor:
        mask = self._map.mask(self._options.gumbel_temperature, self._generator)
        return self._objective(batch, self._map.weight(), [len(mask), mask])

    def _step_bytes(self) -> int:
        self._map.zero_grad()
        return peak_bytes(lambda: torch.autograd.backward(self._forward(self._batches[-1])))


def _useful(memory: SelectiveMemory, queries: Tensor, neighbours: int) -> float:
    found = memory.nearest(queries, neighbours)
    own, numbers = vector_numbers(queries.cpu().numpy(), found.vectors.cpu().numpy())
    return useful_neighbours(own, numbers[found.place.cpu().numpy()])


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
