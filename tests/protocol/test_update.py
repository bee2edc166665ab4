"""The optimiser's step against torch's own, for one network and for several at once."""

import copy

import pytest
import torch
from torch import nn

from augbench.packed.heads import Heads
from augbench.protocol.loss import loss_weights, soft_label_cross_entropy, summed_losses
from augbench.protocol.recipe import Recipe
from augbench.protocol.update import Update


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3))
    net[1].bias.requires_grad_(False)
    made = nn.Sequential(net, nn.LogSoftmax(dim=1))
    made.register_parameter("unused", nn.Parameter(torch.ones(2)))
    return made


def test_a_hundred_steps_are_those_of_torchs_sgd_to_the_bit():
    own, torchs = network(), network()
    update = Update(own.parameters(), [Recipe(learning_rate=0.05)], 100)
    optimizer = torch.optim.SGD(torchs.parameters(), lr=0.05)
    for _ in range(100):
        x, y = torch.rand(5, 3, 4), torch.rand(5, 3).softmax(1)
        update(soft_label_cross_entropy(own(x), y))
        optimizer.zero_grad()
        soft_label_cross_entropy(torchs(x), y).backward()
        optimizer.step()
    for one, other in zip(own.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_sum_of_losses_has_for_each_cell_the_gradient_of_its_own():
    outputs = torch.randn(4, 6, 3).log_softmax(2).requires_grad_()
    targets = torch.rand(4, 6, 3).softmax(2)
    alone = torch.stack(
        [soft_label_cross_entropy(a, y) for a, y in zip(outputs, targets, strict=True)]
    )
    together = summed_losses(loss_weights(targets), outputs)
    assert together.item() == pytest.approx(alone.sum().item(), rel=1e-6)
    (one,) = torch.autograd.grad(alone.sum(), outputs, retain_graph=True)
    (other,) = torch.autograd.grad(together, outputs)
    assert torch.allclose(one, other, rtol=1e-6, atol=1e-9)


def test_the_heads_own_step_is_the_updates():
    torch.manual_seed(1)
    linears = [nn.Linear(8, 3).double() for _ in range(4)]
    heads, general = Heads(linears), Heads(copy.deepcopy(linears))
    update = Update(general.parameters(), [Recipe(learning_rate=0.1)] * 4, 20)
    for _ in range(20):
        x, y = torch.randn(4, 6, 8).double(), torch.rand(4, 6, 3).double().softmax(2)
        before = general(x)
        update(summed_losses(loss_weights(y), before))
        assert torch.allclose(heads.descend(x, y, 0.1), before, rtol=1e-12, atol=1e-12)
    for one, other in zip(heads.parameters(), general.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)
