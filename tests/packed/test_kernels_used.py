"""Kernels, and operators of torch, that a packed network ends in: no speed is lost unseen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from augbench.backbones._convnet import ConvNet
from augbench.packed import ops
from augbench.packed.dropout import own_dropout
from augbench.packed.trace import PackedByRules

pytestmark = pytest.mark.skipif(not ops.kernels_serve(torch.zeros(1)), reason="needs llvmlite")

CELLS = 3
COPIES = {"clone", "copy_", "ones_like", "new_zeros", "zero_", "as_strided_"}


@pytest.fixture
def done(monkeypatch):
    """The kernels that ran, by name and in order."""
    from augbench.packed import codegen
    from augbench.packed.winograd import filtering

    ran = []

    def spied(make, name):
        def kernel(*arguments):
            made = make(*arguments)
            return replace(made, run=lambda *numbers: (ran.append(name), made.run(*numbers)))

        return kernel

    for room, names in {
        codegen: (
            *("convolve", "convolve_and_pool", "gradients_through_pool", "input_gradient"),
            *("normalize", "normalize_gradient", "pool", "pool_gradient", "weight_gradient"),
        ),
        filtering: ("winograd", "winograd_weight_gradient"),
    }.items():
        for name in names:
            monkeypatch.setattr(room, name, spied(getattr(room, name), name))
    return ran


class Operators(TorchDispatchMode):
    """Notes torch's operators, by name and in order, into a list; views and copies apart."""

    def __init__(self, ran):
        super().__init__()
        self.ran = ran

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        returns, name = func._schema.returns, func._schema.name.removeprefix("aten::")
        views = returns and all(one.alias_info and not one.alias_info.is_write for one in returns)
        if not views and name not in COPIES and "empty" not in name:
            self.ran.append(name)
        return made


def step(packed, done, size):
    """The forward, and the backward, of a step of training."""
    values = [value for value in packed.stacked().values() if value.requires_grad]
    packed.train()
    packed(torch.rand(8, CELLS, size, size))  # draws masks, compiles
    images, done[:] = torch.rand(8, CELLS, size, size), []
    with Operators(done):
        features = packed(images)
        forward, done[:] = list(done), []
        torch.autograd.grad(features, values, torch.ones_like(features))
    return forward, list(done)


def use(packed, done, size):
    """The forward of a frozen network."""
    packed.train(False)
    images, done[:] = torch.rand(8, 1, size, size), []
    with Operators(done), torch.no_grad():
        packed(images, shared=True)
    return list(done)


def test_the_handouts_network_is_two_kernels_and_a_mask(done):
    def network(cell):
        net = ConvNet(1, (28, 28), dropout=0.5)
        return own_dropout(net, lambda layer: np.random.default_rng([cell, layer]))

    packed = PackedByRules([network(cell) for cell in range(CELLS)])
    forward, backward = step(packed, done, 28)
    assert forward == ["convolve_and_pool", "convolve_and_pool", "mul"]
    assert backward == ["mul", "gradients_through_pool", "gradients_through_pool"]
    assert use(packed, done, 28) == ["convolve_and_pool", "convolve_and_pool"]


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride > 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)


def test_a_residual_network_has_nothing_of_torchs_between_its_kernels(done):
    def network():
        first = nn.Conv2d(1, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        last = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        return nn.Sequential(*first, Block(8, 8), Block(8, 16, 2), *last)

    packed = PackedByRules([network() for _ in range(CELLS)])
    forward, backward = step(packed, done, 16)
    convolutions, kinds = 6, ("convolve", "winograd")
    assert [one for one in forward if one not in kinds] == ["normalize"] * convolutions + ["mean"]
    assert sum(one in kinds for one in forward) == convolutions
    # The mean's gradient, and what normalisations and convolutions are made of.
    rest = [one for one in backward if one not in kinds]
    assert rest.count("normalize_gradient") == convolutions
    assert sum(one.endswith("weight_gradient") for one in rest) == convolutions
    others = [one for one in rest if not one.endswith(("_gradient", "input_gradient"))]
    # Where a processor's vectors are wide, a narrow map's gradient is made column by column, and
    # what another user of the map sends back is added by torch.
    assert others in (["div"], ["div", "add_"])
    in_use = use(packed, done, 16)
    assert sum(one in kinds for one in in_use) == convolutions
    factors = {"add", "rsqrt", "mul", "neg"}  # of the normalisations, into the weights
    assert [one for one in in_use if one not in {*kinds, *factors}] == ["mean"]
    assert in_use.count("add") == 2 * convolutions
