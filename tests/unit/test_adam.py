"""Our Adam is PyTorch's, to the last bit, without its start-up."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from smec.adam import Adam


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 7), (3,), (4, 4))]


def set_gradients(values, step, missing=()):
    generator = torch.Generator().manual_seed(100 + step)
    for index, value in enumerate(values):
        gradient = torch.randn(value.shape, generator=generator) * 10.0 ** (step % 7 - 3)
        value.grad = None if index in missing else gradient


@pytest.mark.parametrize("missing", [(), (1,)])
def test_equals_the_optimizer_of_torch_bit_by_bit(missing):
    ours, theirs = parameters(), parameters()
    rates = [1e-3, 5e-2, 1e-1]
    optimizer, reference = Adam(ours), torch.optim.Adam([{"params": [value]} for value in theirs])
    for step in range(60):
        scaled = [rate * (1 - step / 60) for rate in rates]
        for group, rate in zip(reference.param_groups, scaled, strict=True):
            group["lr"] = rate
        set_gradients(ours, step, missing)
        set_gradients(theirs, step, missing)
        optimizer.step(scaled)
        reference.step()
    for mine, expected in zip(ours, theirs, strict=True):
        assert torch.equal(mine, expected)


def test_goes_on_from_its_state():
    straight, halved = parameters(), parameters()
    whole, first = Adam(straight), Adam(halved)
    for step in range(10):
        set_gradients(straight, step)
        whole.step([1e-2] * 3)
        if step < 5:
            set_gradients(halved, step)
            first.step([1e-2] * 3)
    second = Adam(halved)
    second.load({name: value.clone() for name, value in first.state().items()})
    for step in range(5, 10):
        set_gradients(halved, step)
        second.step([1e-2] * 3)
    assert all(torch.equal(a, b) for a, b in zip(straight, halved, strict=True))


def test_gradients_are_forgotten():
    values = parameters()
    set_gradients(values, 0)
    Adam(values).zero_grad()
    assert all(value.grad is None for value in values)


def test_the_compiler_of_torch_is_not_loaded():
    code = (
        "import sys, torch; from smec.adam import Adam; p = torch.nn.Parameter(torch.ones(2)); a = Adam([p])\n"
        "torch.autograd.backward((p * p).sum()); a.step([0.1]); assert p[0] < 1\n"
        "print('torch._dynamo' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
