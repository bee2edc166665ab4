"""The optimiser's step against torch's own, for one network and for several at once."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch_recipes import TorchRecipe, recipes

from augbench.packed.heads import Heads
from augbench.protocol.loss import loss_weights, soft_label_cross_entropy, summed_losses
from augbench.protocol.recipe import Recipe
from augbench.protocol.update import Update

STEPS = 100


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3))
    net[1].bias.requires_grad_(False)
    made = nn.Sequential(net, nn.LogSoftmax(dim=1))
    made.register_parameter("unused", nn.Parameter(torch.ones(2)))
    return made


def test_a_hundred_steps_are_those_of_torchs_sgd_to_the_bit():
    own, torchs = network(), network()
    update = Update(own.parameters(), [Recipe(learning_rate=0.05)], STEPS)
    optimizer = torch.optim.SGD(torchs.parameters(), lr=0.05)
    for _ in range(STEPS):
        x, y = torch.rand(5, 3, 4), torch.rand(5, 3).softmax(1)
        update(soft_label_cross_entropy(own(x), y))
        optimizer.zero_grad()
        soft_label_cross_entropy(torchs(x), y).backward()
        optimizer.step()
    for one, other in zip(own.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(one, other)


SHAPES = ((4, 3, 2, 2), (4,), (), (2, 5))
"""Of one network's parameters; the last never gets a gradient."""


def of_cells(many, cells):
    """K networks' parameters or gradients as the packed engine holds them: one after the other."""
    stacked = [torch.stack([one[n] for one in many]) for n in range(len(SHAPES))]
    return [
        one.flatten(0, 1) if one.ndim > 2 else one if one.ndim == 1 else one.flatten()
        for one in stacked
    ]


any_pack = st.lists(recipes, min_size=1, max_size=3).map(
    lambda some: [
        replace(
            some[0],
            learning_rate=one.learning_rate,
            weight_decay=one.weight_decay,
            clip_norm=one.clip_norm,
            momentum=one.momentum if not some[0].nesterov and some[0].optimizer == "sgd" else m,
        )
        for one in some
        for m in [some[0].momentum]
    ]
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(pack=any_pack, seed=st.integers(0, 99))
@example(pack=[Recipe(), Recipe(momentum=0.9), Recipe(clip_norm=0.01)], seed=0)
def test_a_hundred_steps_of_any_recipe_are_torchs_on_given_gradients(pack, seed):
    cells, generator = len(pack), torch.Generator().manual_seed(seed)

    def numbers(scale):
        return [
            torch.randn(shape, generator=generator, dtype=torch.float64) * scale for shape in SHAPES
        ]

    plain = [numbers(1.0) for _ in pack]
    own = [value.clone().requires_grad_() for value in of_cells(plain, cells)]
    if cells == 1:  # as the reference has them: a parameter may be a single number
        own = [value.clone().requires_grad_() for value in plain[0]]
    for some in plain:
        for value in some:
            value.requires_grad_()
    update = Update(own, pack, STEPS)
    torchs = [TorchRecipe(r, some, STEPS) for r, some in zip(pack, plain, strict=True)]
    for _ in range(STEPS):
        gradients = [numbers(0.1) for _ in pack]
        together = of_cells(gradients, cells) if cells > 1 else gradients[0]
        update.step([*together[:-1], None])
        for optimizer, some, given_ones in zip(torchs, plain, gradients, strict=True):
            for value, gradient in zip(some[:-1], given_ones[:-1], strict=True):
                value.grad = gradient.clone()
            optimizer.step()
    with torch.no_grad():
        wanted = of_cells(plain, cells) if cells > 1 else plain[0]
    for one, other in zip(own, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(momentum=0.9, nesterov=True, weight_decay=5e-4, schedule="cosine", warmup=0.05),
        Recipe(learning_rate=1e-3, optimizer="adamw", weight_decay=0.05, schedule="cosine"),
    ],
)
def test_in_float32_given_gradients_lead_where_torch_goes_to_1e_6(recipe):
    generator = torch.Generator().manual_seed(0)
    own = [torch.randn(50, generator=generator).requires_grad_()]
    other = [own[0].detach().clone().requires_grad_()]
    update, torchs = Update(own, [recipe], STEPS), TorchRecipe(recipe, other, STEPS)
    for _ in range(STEPS):
        gradient = torch.randn(50, generator=generator)
        update.step([gradient])
        other[0].grad = gradient
        torchs.step()
    assert float((own[0] - other[0]).detach().abs().max()) < 1e-6


def test_a_clipped_gradient_of_one_network_leaves_the_others_as_they_are():
    pack = [Recipe(learning_rate=1.0, clip_norm=1.0), Recipe(learning_rate=1.0)]
    value = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    Update([value], pack, 5).step([torch.tensor([[3.0, 0, 4.0], [3.0, 0, 4.0]]).double()])
    assert value[0].tolist() == pytest.approx([-0.6, 0, -0.8], abs=1e-6)
    assert value[1].tolist() == [-3.0, 0, -4.0]


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


@pytest.mark.parametrize("rates", [[0.1] * 4, [0.1, 0.2, 0.05, 0.1]])
def test_the_heads_own_step_is_the_updates(rates):
    torch.manual_seed(1)
    linears = [nn.Linear(8, 3).double() for _ in range(4)]
    heads, general = Heads(linears), Heads(copy.deepcopy(linears))
    update = Update(general.parameters(), [Recipe(learning_rate=rate) for rate in rates], 20)
    rate = rates[0] if len(set(rates)) == 1 else torch.tensor(rates, dtype=torch.float64)
    for _ in range(20):
        x, y = torch.randn(4, 6, 8).double(), torch.rand(4, 6, 3).double().softmax(2)
        before = general(x)
        update(summed_losses(loss_weights(y), before))
        assert torch.allclose(heads.descend(x, y, rate), before, rtol=1e-12, atol=1e-12)
    for one, other in zip(heads.parameters(), general.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_heads_own_gradients_are_those_of_autograd():
    torch.manual_seed(1)
    heads = Heads([nn.Linear(8, 3).double() for _ in range(4)])
    x, y = torch.randn(4, 6, 8).double(), torch.rand(4, 6, 3).double().softmax(2)
    outputs, gradients = heads.gradients(x, y)
    before = heads(x)
    wanted = torch.autograd.grad(summed_losses(loss_weights(y), before), heads.parameters())
    assert torch.allclose(outputs, before, rtol=1e-12, atol=1e-12)
    for one, other in zip(gradients, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)
