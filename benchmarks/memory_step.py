"""One S-XBM step against its bare matrix products: `python -m benchmarks memory_step`.

Ours: search the memory of 5000 frozen vectors for the 10 nearest of each of 128 vectors, remember the batch, map what
was retrieved, compare frozen and compressed cosines at two sizes, and (second row) the gradient of it all. The peer
makes the same matrix products on tensors of the same shapes, and nothing else.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.common import Comparison, compare, on_threads, want_ratio
from smec.batches import Batch
from smec.objective import MatryoshkaObjective
from smec.options import SimilarityOptions
from smec.sides import Sides

MOST = 1.3


def measure(toy: bool = False) -> list[Comparison]:
    """Compare at two widths, on one thread and on two."""
    sizes = [(16, 40, 8, 1)] if toy else [(384, 5000, 128, 40), (3584, 5000, 128, 7)]
    before, rows = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for width, memory, batch, rounds in sizes:
                rows += on_threads(_at(width, memory, batch, rounds), threads)
    finally:
        torch.set_num_threads(before)
    return want_ratio(rows, MOST)


def _at(width: int, memory: int, size: int, rounds: int) -> list[Comparison]:
    step = Step(width, memory, size)
    shape = f"memory {memory}, batch {size}, D = {width}"
    loss = compare((f"S-XBM step, {shape}", step.loss), [("its matrix products", step.products)], rounds)
    gradient = compare(
        (f"S-XBM step with gradient, {shape}", step.gradient),
        [("its matrix products", step.gradient_products)],
        rounds,
    )
    return loss + gradient


class Step:
    """A full memory, a batch of half queries and half documents, and a map that halves the size."""

    def __init__(self, width: int, memory: int, size: int) -> None:
        """Draw random unit vectors."""
        generator = torch.Generator().manual_seed(0)

        def unit(rows: int) -> Tensor:
            return functional.normalize(torch.randn(rows, width, generator=generator))

        options = SimilarityOptions(memory_size=memory)
        self.objective = MatryoshkaObjective(options, width, torch.device("cpu"))
        assert self.objective.memory is not None
        self.memory = self.objective.memory
        self.memory.enqueue(unit(memory))
        half = size // 2
        self.batch = Batch(unit(half), unit(half), torch.eye(half), torch.arange(half))
        self.frozen = torch.cat([self.batch.queries, self.batch.documents])
        self.weight = (torch.eye(width) + torch.randn(width, width, generator=generator) / width).requires_grad_()
        self.outputs = (self.frozen @ self.weight.T).detach()
        self.levels = [width, torch.zeros(width).index_fill(0, torch.arange(width // 2), 1.0)]
        self.retrieved = self.memory.nearest(self.frozen, options.neighbours).vectors

    def similarity(self) -> Tensor:
        """Return the loss of the step, and remember the batch."""
        queries, documents = self.outputs.chunk(2)
        return self.objective.similarity(self.batch, Sides.shared(self.weight), queries, documents, self.levels)

    @torch.no_grad()
    def loss(self) -> Tensor:
        """Make the step without gradients."""
        return self.similarity()

    def gradient(self) -> None:
        """Make the step and its gradient by the map."""
        self.weight.grad = None
        self.similarity().backward()

    @torch.no_grad()
    def products(self) -> tuple[Tensor, list[Tensor]]:
        """Make the products: batch with memory; map with retrieved, and batch with that at each size."""
        searched = self.frozen @ self.memory.features.T
        neighbours = self.retrieved @ self.weight.T
        return searched, [self.outputs @ neighbours.T for _ in self.levels]

    @torch.no_grad()
    def gradient_products(self) -> Tensor:
        """Make these, and the products of the gradients: by the neighbours at each size, and by the map."""
        _, similarities = self.products()
        neighbours = [similarity.T @ self.outputs for similarity in similarities]
        return neighbours[0].T @ self.retrieved
