"""The check of packing tells chaos from a fault."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from augbench.packed import choice as probing
from augbench.packed.rules.registry import LAYER_RULES
from augbench.testing._engines import disagreement

SHAPE = (1, 8, 8)


class Gain(nn.Module):
    """y = gain · x, a number for each channel."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(2 + torch.rand(size))

    def forward(self, x):
        return x * self.gain


class WideGain(nn.Module):
    """The gains of K cells, with a fault that a rule may have."""

    def __init__(self, layers, fault) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.cat([layer.gain.detach() for layer in layers]))
        self.cells, self.fault = len(layers), fault

    def forward(self, x):  # [B, K, D]
        gain = self.gain.view(self.cells, -1)
        if self.fault == "a neighbour's numbers":
            gain = gain.roll(1, 0)
        if self.fault == "a gradient that is a tenth too large":
            gain = 1.1 * gain - 0.1 * gain.detach()
        if self.fault == "no gradient":
            gain = gain.detach() + 0 * gain
        if self.fault == "a rounded constant":
            gain = gain * 1.0001
        return x * gain


def network(shape, layers=8):
    """Chaotic: each layer stretches what differs, and squeezes it back into [−1, 1]."""
    channels, height, width = shape
    parts = [nn.Flatten(), nn.Linear(channels * height * width, 24)]
    for _ in range(layers):
        parts += [nn.BatchNorm1d(24), Gain(24), nn.Tanh(), nn.Linear(24, 24)]
    made = nn.Sequential(*parts)
    made.feature_dim = 24
    return made


@pytest.fixture
def unprobed(monkeypatch):
    """Packs are used without a look at whether they are right."""
    monkeypatch.setattr(probing, "difference", lambda *_, **__: None)
    monkeypatch.setattr(probing, "_gain", lambda *_: 9.0)


def with_fault(monkeypatch, fault):
    monkeypatch.setitem(LAYER_RULES, Gain, lambda layers: WideGain(layers, fault))


def test_a_chaotic_network_that_is_packed_rightly_agrees(monkeypatch, unprobed):
    with_fault(monkeypatch, None)
    assert disagreement(network, SHAPE) == ""


@pytest.mark.parametrize(
    ("fault", "layers"),
    [
        ("a neighbour's numbers", 8),
        ("a gradient that is a tenth too large", 8),
        ("a gradient that is a tenth too large", 1),
        ("no gradient", 8),
        ("a rounded constant", 8),
    ],
)
def test_a_rule_that_is_wrong_is_found_in_chaos_too(monkeypatch, unprobed, fault, layers):
    with_fault(monkeypatch, fault)
    message = disagreement(lambda shape: network(shape, layers), SHAPE)
    assert "between packed and one by one" in message
