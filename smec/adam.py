"""Adam (Kingma and Ba 2015, arXiv 1412.6980), equal to PyTorch's bit for bit on the CPU.

PyTorch's own optimizer loads its compiler as soon as one is made, which takes longer than many a stage of training.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

FIRST_DECAY, SECOND_DECAY = 0.9, 0.999
EPSILON = 1e-8


class Adam:
    """Steps against the gradient, each parameter at a rate of its own."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        """Start with moments of zero."""
        self._parameters = list(parameters)
        self._steps = [0] * len(self._parameters)
        self._first = [torch.zeros_like(value) for value in self._parameters]
        self._second = [torch.zeros_like(value) for value in self._parameters]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for value in self._parameters:
            value.grad = None

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Move each parameter that has a gradient, at its rate of `rates`."""
        for index, (value, rate) in enumerate(zip(self._parameters, rates, strict=True)):
            if value.grad is None:
                continue
            self._steps[index] += 1
            first, second = self._first[index], self._second[index]
            first.lerp_(value.grad, 1 - FIRST_DECAY)
            second.mul_(SECOND_DECAY).addcmul_(value.grad, value.grad, value=1 - SECOND_DECAY)
            size = rate / (1 - FIRST_DECAY ** self._steps[index])
            spread = second.sqrt() / (1 - SECOND_DECAY ** self._steps[index]) ** 0.5
            value.addcdiv_(first, spread.add_(EPSILON), value=-size)

    def state(self) -> dict[str, Tensor]:
        """Return all state by name: `steps`, int64 (parameters,), and the moments `first.0`, `second.0`, ..."""
        moments = {f"first.{index}": value for index, value in enumerate(self._first)}
        moments |= {f"second.{index}": value for index, value in enumerate(self._second)}
        return moments | {"steps": torch.tensor(self._steps, dtype=torch.int64)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
        self._steps = [int(count) for count in state["steps"]]
        for index in range(len(self._parameters)):
            self._first[index].copy_(state[f"first.{index}"])
            self._second[index].copy_(state[f"second.{index}"])
