"""Packing without rules: vmap over the module, whatever class each call of a factory makes."""

import pytest
import torch
from torch import nn

from augbench.packed import choice as choosing
from augbench.packed.choice import choose
from augbench.packed.rules.registry import UnpackableError
from augbench.packed.vmap import PackedByVmap


def network(seed, *, factor=1.0, width=4):
    """A network whose class is made inside its factory, and whose forward no trace can read."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, width, 3)
            self.register_buffer("shift", torch.full((1,), float(seed)))

        def forward(self, x):
            x = self.conv(x)
            if len(x) > 100:  # a loop or branch on sizes: no trace reads it
                x = x * 2
            return (factor * x + self.shift).tanh().flatten(1)

    torch.manual_seed(seed)
    return Net()


def test_networks_whose_factory_makes_a_class_at_each_call_are_packed_by_vmap(monkeypatch):
    monkeypatch.setattr(choosing, "_WORTH_IT", 0)
    networks = [network(seed) for seed in range(3)]
    assert len({type(one) for one in networks}) == 3
    images = torch.rand(4, 1, 6, 6)
    choice = choose(networks, images)
    assert choice.packer is PackedByVmap, choice.reason
    packed = choice.packer(networks)
    wanted = torch.stack([one(images) for one in networks])
    torch.testing.assert_close(packed(images, shared=True), wanted)
    stacked = packed.stacked()
    assert stacked["shift"].tolist() == [[0], [1], [2]]
    assert stacked["conv.weight"].requires_grad
    assert not stacked["shift"].requires_grad
    (slope,) = torch.autograd.grad(packed(images, shared=True).sum(), [stacked["conv.bias"]])
    for k, one in enumerate(networks):
        (own,) = torch.autograd.grad(one(images).sum(), [one.conv.bias])
        torch.testing.assert_close(slope[k], own)


def test_frozen_parameters_stay_frozen():
    networks = [network(seed) for seed in range(2)]
    for one in networks:
        one.conv.bias.requires_grad_(False)
    stacked = PackedByVmap(networks).stacked()
    assert [name for name, value in stacked.items() if value.requires_grad] == ["conv.weight"]


def test_classes_of_one_name_that_close_over_other_numbers_are_not_alike():
    networks = [network(0, factor=1.0), network(1, factor=2.0)]
    with pytest.raises(UnpackableError, match=r"Net\.forward is not the same for every seed"):
        PackedByVmap(networks)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_trained_one_by_one_and_the_reason_says_why(kind):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = kind(6, 5, batch_first=True)

        def forward(self, x):
            return self.rows(x.flatten(1, 2))[0][:, -1]

    torch.manual_seed(0)
    choice = choose([Recurrent() for _ in range(2)], torch.rand(4, 1, 6, 6))
    assert choice.packer is None
    assert choice.reason.startswith("one by one (not ")
    assert "Batching rule not implemented for aten::" in choice.reason
