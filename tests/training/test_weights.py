"""A packed network's weights, taken out of it, make the plain network that it stands for."""

import copy

import pytest
import torch
from torch import nn

from augbench.batching.materials import eval_mode
from augbench.packed import UnpackableError
from augbench.packed.trace import PackedByRules
from augbench.packed.vmap import PackedByVmap
from augbench.protocol.inputs import Normalized, channel_statistics
from augbench.training.features import OneByOne
from augbench.training.weights import load_weights, weights_of

SHAPE, CELLS = (2, 6, 6), 3


def conv_bn():
    return nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())


def depthwise():
    return nn.Sequential(
        nn.Conv2d(2, 6, 1), nn.Conv2d(6, 6, 3, groups=6, padding=1), nn.GELU(), nn.Flatten()
    )


def grouped_and_strided():
    return nn.Sequential(nn.Conv2d(2, 4, 3, groups=2, stride=2, dilation=2), nn.Flatten())


def transposed():
    return nn.Sequential(nn.ConvTranspose2d(2, 3, 3, stride=2), nn.InstanceNorm2d(3), nn.Flatten())


def norms():
    return nn.Sequential(
        nn.GroupNorm(2, 2), nn.Conv2d(2, 4, 3), nn.PReLU(4), nn.Flatten(), nn.LayerNorm(64)
    )


def flat_batch_norm():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(72), nn.Linear(72, 5), nn.BatchNorm1d(5))


def running_statistics_only():
    return nn.Sequential(nn.BatchNorm2d(2, affine=False), nn.Conv2d(2, 3, 3), nn.Flatten())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.one, self.other = nn.Linear(72, 72), nn.Linear(72, 72)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.other(self.one(self.flat(x)).relu())


class Called(nn.Module):
    """One layer called twice, under two names."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.again = self.conv

    def forward(self, x):
        return self.again(self.conv(x).relu()).flatten(1)


class OwnValues(nn.Module):
    """Parameters and buffers that the forward uses by itself, some of them numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(72, 6)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.offset = nn.Parameter(torch.randn(6))
        self.register_buffer("shift", torch.randn(()))
        self.register_buffer("mask", torch.rand(6) > 0.2)

    def forward(self, x):
        return self.linear(x.flatten(1)) * self.scale + self.offset * self.mask + self.shift


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.never = nn.Conv2d(2, 3, 3), nn.Linear(4, 4)

    def forward(self, x):
        return self.conv(x).flatten(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 36, 8))
        self.into, self.mixed = nn.Conv2d(2, 8, 1), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        x = self.into(x).flatten(2).transpose(1, 2) + self.place
        return self.norm(x + self.mixed(x, x, x, need_weights=False)[0]).mean(1)


def normalized():
    inner = conv_bn()
    inner.feature_dim = 64
    images = torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8)
    return Normalized(inner, *channel_statistics(images))


NETWORKS = [
    *(conv_bn, depthwise, grouped_and_strided, transposed, norms, flat_batch_norm),
    *(running_statistics_only, Tied, Called, OwnValues, Unused, Attention, normalized),
]


def trained(packer, make):
    """Cells of other weights and statistics each, after a few packed steps; in eval mode."""
    torch.manual_seed(3)
    modules = [make().train() for _ in range(CELLS)]
    images = torch.rand(5, CELLS * SHAPE[0], *SHAPE[1:])
    packed = packer(modules)
    packed.train()
    values = [one for one in packed.stacked().values() if one.requires_grad]
    for _ in range(3):
        loss = packed(images).square().mean()
        slopes = torch.autograd.grad(loss, values, allow_unused=True)
        with torch.no_grad():
            for value, slope in zip(values, slopes, strict=True):
                if slope is not None:
                    value -= 0.05 * slope
    packed.train(False)
    return modules, packed


@pytest.mark.parametrize("make", NETWORKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of vmap over attention
def test_taken_out_of_a_pack_weights_make_the_plain_networks(packer, make):
    try:
        modules, packed = trained(packer, make)
    except UnpackableError as error:
        pytest.fail(f"no longer packed: {error}")
    images = torch.rand(4, *SHAPE)
    with torch.no_grad():
        together = packed(images, shared=True)
    # In another order than theirs, into networks that start elsewhere.
    members = [2, 0]
    for k, weights in zip(members, weights_of(packed, modules[0], members), strict=True):
        plain = load_weights(make(), weights)
        with eval_mode(plain), torch.no_grad():
            assert torch.allclose(plain(images), together[k], atol=1e-5)
    # And packed anew, they are the pack.
    every = weights_of(packed, modules[0], range(CELLS))
    again = packer([load_weights(make(), own) for own in every])
    again.train(False)
    with torch.no_grad():
        assert torch.equal(again(images, shared=True), together)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda one: one.__name__)
def test_what_is_taken_out_of_plain_networks_is_a_copy(make):
    torch.manual_seed(3)
    module = make()
    before = copy.deepcopy(module.state_dict())
    (weights,) = weights_of(OneByOne([module]), module, [0])
    for value in weights.values():
        value.zero_()
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
