"""Layers and functions of users' networks, packed by rules, against the plain modules."""

import copy
import operator
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from stepping import assert_same_numbers, assert_same_training, cells_of
from torch import nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from augbench.packed.rules import layers
from augbench.packed.rules.other_functions import rule_of

BATCHES = {
    "one odd image": (1, 2, 9, 7),
    "five images": (5, 2, 8, 8),
}


@pytest.fixture(params=BATCHES.values(), ids=BATCHES)
def images(request):
    return torch.rand(request.param, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def conv(inputs=2, outputs=4, size=3, **how):
    return nn.Conv2d(inputs, outputs, size, **{"padding": size // 2, **how})


LAYERS = {
    "PReLU of one slope": [conv(), nn.PReLU(), conv(4, 4)],
    "PReLU of channels": [conv(), nn.PReLU(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.PReLU(4)],
    "PReLU of one slope on vectors": [conv(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.PReLU()],
    "PReLU of tokens": [conv(), nn.Flatten(2), nn.PReLU(4)],
    "Softmax over channels": [conv(), nn.Softmax(dim=1)],
    "Softmax over rows": [conv(), nn.Softmax(dim=-2)],
    "Softmax of vectors": [conv(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Softmax(dim=1)],
    "LogSoftmax": [conv(), nn.LogSoftmax(dim=1), conv(4, 2)],
    "Softmax2d and Softmin": [conv(), nn.Softmax2d(), nn.Softmin(1)],
    "ConvTranspose2d": [conv(), nn.ConvTranspose2d(4, 3, 2, stride=2), nn.ReLU()],
    "ConvTranspose2d in groups": [
        *(conv(), nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)),
        *(nn.ConvTranspose2d(6, 2, (1, 3), bias=False, dilation=2),),
    ],
    "PixelShuffle": [conv(2, 8), nn.PixelShuffle(2), conv(2, 3)],
    "PixelUnshuffle": [conv(2, 2, stride=1), nn.ZeroPad2d((0, 1, 0, 1)), nn.AvgPool2d(2, 1)],
    "ChannelShuffle": [conv(2, 6), nn.ChannelShuffle(3), conv(6, 6, groups=3)],
    "ConstantPad2d": [conv(), nn.ConstantPad2d((1, 0, 2, 1), 0.7), conv(4, 2)],
    "CircularPad2d": [conv(), nn.CircularPad2d((1, 2, 0, 1)), conv(4, 2)],
    "circular padding of Conv2d": [conv(padding_mode="circular"), nn.ReLU(), conv(4, 2)],
    "replicated padding of Conv2d": [conv(padding_mode="replicate"), nn.ReLU()],
    "Upsample": [conv(), nn.Upsample(scale_factor=2), nn.Upsample((5, 6), mode="bilinear")],
    "AdaptiveAvgPool2d of one size": [conv(), nn.AdaptiveAvgPool2d((None, 3))],
    "AdaptiveAvgPool2d of two": [conv(), nn.AdaptiveAvgPool2d((2, 3)), nn.AdaptiveMaxPool2d(2)],
    "LPPool2d": [conv(), nn.ReLU(), nn.LPPool2d(2, 3, stride=2)],
    "MaxPool2d with ceil_mode": [conv(), nn.MaxPool2d(2, ceil_mode=True), conv(4, 3)],
    "Unflatten": [conv(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Unflatten(1, (4, 2, 2))],
    "Unflatten to groups": [conv(), nn.Unflatten(1, (2, 2)), nn.Flatten(2)],
    "Flatten of some dimensions": [conv(), nn.Flatten(2), nn.Linear(64, 3)],
    "Flatten from the batch on": [conv(), nn.Flatten(0, 1), nn.Unflatten(0, (-1, 4))],
    "Bilinear's kin, Conv1d": [conv(), nn.Flatten(2), nn.Conv1d(4, 5, 3), nn.MaxPool1d(2)],
    "BatchNorm1d of tokens": [conv(), nn.Flatten(2), nn.BatchNorm1d(4), nn.ReLU()],
    "GroupNorm of tokens": [conv(), nn.Flatten(2), nn.GroupNorm(2, 4), nn.AvgPool1d(2)],
    "LayerNorm of tokens": [conv(), nn.AdaptiveAvgPool2d(4), nn.Flatten(2), nn.LayerNorm(16)],
    "LayerNorm of rows": [conv(), nn.AdaptiveAvgPool2d((3, 4)), nn.LayerNorm(4), nn.GELU()],
    "Linear of rows": [conv(), nn.AdaptiveAvgPool2d((3, 4)), nn.Linear(4, 5), nn.Tanh()],
    "dropout of tokens": [conv(), nn.Flatten(2), nn.Dropout(0.4), nn.Tanh()],
    "stochastic depth": [conv(), StochasticDepth(0.4, "row"), nn.Tanh()],
    "stochastic depth of the batch": [conv(), StochasticDepth(0.4, "batch"), nn.Tanh()],
    "stochastic depth of vectors": [conv(), nn.Flatten(), StochasticDepth(0.4, "row")],
    "stochastic depth of tokens": [conv(), nn.Flatten(2), StochasticDepth(0.4, "batch")],
    "LocalResponseNorm": [conv(), nn.LocalResponseNorm(3), nn.ReLU()],
    "GLU": [conv(), nn.GLU(dim=1), conv(2, 2)],
}
for kind in (
    *(nn.LogSigmoid, nn.Hardtanh, nn.Hardswish, nn.Softsign, nn.Tanhshrink, nn.Softshrink),
    *(nn.Hardshrink, nn.CELU, nn.SELU, nn.Mish, nn.ReLU6),
):
    LAYERS[kind.__name__] = [conv(), kind(), nn.Flatten(2), kind()]
LAYERS["Threshold"] = [conv(), nn.Threshold(0.1, 0.2)]


def network(layers):
    return lambda: nn.Sequential(*map(copy.deepcopy, layers), nn.Flatten())


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_layers(layers, images):
    if layers is LAYERS["Flatten of some dimensions"]:
        images = images[..., :8, :8] if images.shape[2] == 8 else F.pad(images, (0, 1))[..., :8, :]
    if len(images) == 1:  # one batch suffices for what is not replayed
        assert_same_numbers(cells_of(network(layers)), images)
    assert assert_same_training(cells_of(network(layers)), images)


class Parts(nn.Module):
    """Layers and parameters for the forwards below."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.same = conv(), nn.BatchNorm2d(4), conv(4, 4)
        self.linear, self.to_gate, self.spatial = nn.Linear(4, 4), nn.Linear(4, 1), conv(2, 1)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.gamma = nn.Parameter(torch.ones(4))
        self.scale = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(1, 4, 1, 1))
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)
        self.table = nn.Parameter(torch.ones(4, 4))
        self.register_buffer("mean", torch.linspace(0.1, 0.9, 4))
        self.register_buffer("variance", torch.linspace(1, 2, 4))
        self.plain = torch.linspace(1, 2, 4, dtype=torch.float64)

    def tokens(self, x):
        """[B, L, C]."""
        return self.conv(x).flatten(2).transpose(1, 2)


def shuffled(x, groups):
    batch, channels, height, width = x.size()
    x = x.view(batch, groups, channels // groups, height, width)
    return torch.transpose(x, 1, 2).contiguous().view(batch, -1, height, width)


FORWARDS = {
    "chunk": lambda net, x: torch.cat(net.conv(x).chunk(2, dim=1)[::-1], 1),
    "chunk, unpacked": lambda net, x: _gated(net.conv(x).chunk(2, 1)),
    "split of sizes": lambda net, x: torch.cat(torch.split(net.conv(x), [1, 3], 1)[::-1], 1),
    "split of one size": lambda net, x: net.conv(x).split(2, 1)[1],
    "stack": lambda net, x: torch.stack([net.conv(x), net.conv(x).tanh()], 1).sum(1),
    "stack at the end": lambda net, x: torch.stack((net.conv(x), net.conv(x) * 2), -1).mean(-1),
    "permute there and back": lambda net, x: net.linear(net.conv(x).permute(0, 2, 3, 1)).permute(
        0, 3, 1, 2
    ),
    "permute of a tuple": lambda net, x: torch.permute(net.conv(x), (0, 3, 2, 1)) * 2,
    "transpose": lambda net, x: net.tokens(x) @ net.tokens(x).transpose(-2, -1).tanh(),
    "unbind": lambda net, x: (lambda parts: parts[0] - parts[3])(net.conv(x).unbind(1)),
    "unsqueeze and squeeze": lambda net, x: (
        net.conv(x).mean((2, 3)).unsqueeze(-1).unsqueeze(-1).squeeze(3).squeeze(-1)
    ),
    "expand": lambda net, x: net.conv(x).amax((2, 3), keepdim=True).expand(-1, -1, 3, 2),
    "expand_as": lambda net, x: net.conv(x).mean((2, 3), keepdim=True).expand_as(net.conv(x)),
    "repeat": lambda net, x: net.conv(x).mean((2, 3)).repeat(1, 2),
    "vectors as maps": lambda net, x: (
        net.conv(x) * net.linear(net.conv(x).mean((2, 3))).sigmoid()[:, :, None, None]
    ),
    "channels of maps": lambda net, x: net.conv(x)[:, 1:3] - net.conv(x)[:, ::2],
    "one channel": lambda net, x: net.conv(x)[:, 2] + net.conv(x)[:, -1:].squeeze(1),
    "rows and columns by number": lambda net, x: net.conv(x)[:, :, 1, -1],
    "an ellipsis": lambda net, x: net.conv(x)[..., 1:, :2],
    "the first token": lambda net, x: net.tokens(x)[:, 0],
    "spatial attention": lambda net, x: _cbam(net, net.conv(x)),
    "the mean over channels": lambda net, x: net.conv(x) - net.conv(x).mean(1, keepdim=True),
    "the mean over channels alone": lambda net, x: net.conv(x).mean(dim=1),
    "the maximum over channels": lambda net, x: net.conv(x).max(dim=1, keepdim=True)[0],
    "the mean over pixels, kept": lambda net, x: net.conv(x).mean((2, 3), keepdim=True) * 3,
    "the mean, one dimension after the other": lambda net, x: net.conv(x).mean(3).mean(2),
    "sums": lambda net, x: torch.sum(net.conv(x), dim=(2, 3)) + net.conv(x).sum(-1).sum(-1),
    "variances": lambda net, x: net.conv(x).var((2, 3), unbiased=False) + net.conv(x).std((2, 3)),
    "norms": lambda net, x: F.normalize(net.conv(x), dim=1) + net.conv(x).norm(dim=1, keepdim=True),
    "softmax as a function": lambda net, x: F.softmax(net.conv(x), 1) * torch.softmax(x, 1)[:, :1],
    "powers": lambda net, x: net.conv(x) ** 2 + torch.pow(net.conv(x), 3) - net.conv(x).pow(2) / 3,
    "roots and logarithms": lambda net, x: (
        (net.conv(x).abs() + 1).log()
        + (net.conv(x) ** 2 + 1).rsqrt()
        + torch.log1p(x.abs()).sum(1, keepdim=True)
    ),
    "waves": lambda net, x: torch.sin(net.conv(x)) * net.conv(x).cos() + F.logsigmoid(net.conv(x)),
    "where": lambda net, x: torch.where(net.conv(x) > 0, net.conv(x), 0.1),
    "where of both": lambda net, x: torch.where(net.conv(x) > 0, net.conv(x), net.conv(x) * 0.1),
    "one minus": lambda net, x: 1 - net.conv(x) + torch.rsub(net.conv(x), 2),
    "two to the power": lambda net, x: 2.0 ** net.conv(x).tanh(),
    "clamped": lambda net, x: net.conv(x).clamp(min=-0.3).clamp_max(0.4) + F.hardtanh(net.conv(x)),
    "shuffled channels": lambda net, x: net.same(shuffled(net.conv(x), 2)),
    "channel_shuffle": lambda net, x: net.same(torch.channel_shuffle(net.conv(x), 2)),
    "pixel_shuffle": lambda net, x: F.pixel_shuffle(net.conv(x), 2),
    "pixel_unshuffle": lambda net, x: F.pixel_unshuffle(
        F.pad(net.conv(x), (1, 2, 1, 2))[:, :, :6, :6], 2
    ),
    "interpolate": lambda net, x: (
        F.interpolate(net.conv(x), scale_factor=2)
        + F.interpolate(
            net.conv(x), size=(x.size(2) * 2, x.size(3) * 2), mode="bilinear", align_corners=False
        )
    ),
    "circular pad": lambda net, x: F.pad(net.conv(x), (1, 2, 1, 0), mode="circular"),
    "rolled": lambda net, x: torch.roll(net.conv(x), (1, 2), (1, 3)),
    "view of the batch and all": lambda net, x: net.conv(x).view(x.size(0), -1),
    "view of all and the batch": lambda net, x: net.conv(x).mean((2, 3)).view(-1, 4),
    "view of one row": lambda net, x: net.conv(x).mean((2, 3)).view(x.shape[0], 4, 1, -1).tanh(),
    "reshape to more rows": lambda net, x: net.linear(net.conv(x).mean((2, 3)).reshape(-1, 4)),
    "view as tokens": lambda net, x: net.conv(x).view(x.size(0), 4, -1).softmax(-1),
    "flatten of rows": lambda net, x: net.tokens(x).flatten(0, 1).view(x.size(0), -1, 4),
    "layer scale": lambda net, x: net.conv(x) * net.gamma.view(-1, 1, 1),
    "layer scale of the last dimension": lambda net, x: net.gamma * net.conv(x).permute(0, 2, 3, 1),
    "a scalar of its own": lambda net, x: net.conv(x) * net.scale + net.scale,
    "a bias of its own": lambda net, x: net.conv(x) + net.bias,
    "a class token": lambda net, x: torch.cat(
        (net.token.expand(x.shape[0], -1, -1), net.tokens(x)), dim=1
    )[:, :2],
    "a product with its own": lambda net, x: F.linear(
        net.conv(x).mean((2, 3)), net.table, net.gamma
    ),
    "a matrix of its own": lambda net, x: net.tokens(x) @ net.table,
    "a convolution by function": lambda net, x: F.conv2d(
        net.conv(x), net.same.weight * 2, net.gamma, padding=1
    ),
    "a layer's weight as well": lambda net, x: net.same(net.conv(x)) * net.same.weight.mean(),
    "a layer's bias as well": lambda net, x: net.linear(net.conv(x).mean((2, 3))) + net.linear.bias,
    "a buffer": lambda net, x: net.conv(x) - net.mean.view(1, -1, 1, 1),
    "running statistics as well": lambda net, x: (
        net.norm(net.conv(x)) + net.norm.running_var.view(1, 4, 1, 1).detach()
    ),
    "a frozen parameter": lambda net, x: net.conv(x) * net.frozen.view(-1, 1, 1),
    "a plain tensor": lambda net, x: net.conv(x) * net.plain.view(-1, 1, 1),
    "a constant": lambda net, x: net.conv(x) * torch.tensor([1.0, 2, 3, 4]).view(-1, 1, 1),
    "new tensors": lambda net, x: net.conv(x) + torch.arange(x.shape[-1], dtype=x.dtype),
    "like tensors": lambda net, x: torch.cat([net.conv(x), torch.ones_like(x)], 1),
    "attention": lambda net, x: _attention(net, net.tokens(x)),
    "attention with a mask": lambda net, x: F.scaled_dot_product_attention(
        *[net.tokens(x)] * 3, attn_mask=net.tokens(x).sum(-1)[:, None] > 0.1, scale=0.3
    ),
    "attention to what came before": lambda net, x: F.scaled_dot_product_attention(
        *[net.tokens(x)[:, None]] * 3, is_causal=True
    ),
    "attention of a layer": lambda net, x: net.attention(*[net.tokens(x)] * 3)[0],
    "attention of a layer without weights": lambda net, x: net.attention(
        net.tokens(x), net.tokens(x)[:, :3], net.tokens(x)[:, :3], need_weights=False
    )[0],
    "attention of one head": lambda net, x: F.scaled_dot_product_attention(*[net.tokens(x)] * 3),
    "einsum": lambda net, x: torch.einsum("bchw,bdhw->bcd", net.conv(x), x.sigmoid()),
    "of every cell alone": lambda net, x: net.conv(x).sort(dim=1).values.cumsum(1),
    "a sum of maps and one number": lambda net, x: (
        net.conv(x) + net.to_gate(net.conv(x).mean((2, 3))).view(-1, 1, 1, 1)
    ),
    "a gate of vectors": lambda net, x: (lambda v: v * net.to_gate(v))(net.conv(x).mean((2, 3))),
    "sizes": lambda net, x: (lambda y: y.reshape(y.shape[0], y.numel() // y.size(0)))(net.conv(x)),
    "in place": lambda net, x: net.conv(x).mul_(2).clamp_(-1, 1),
    "in place by function": lambda net, x: torch.relu_(F.relu_(net.conv(x)) - 0.2),
    "summed in place": lambda net, x: _summed_in_place(net.conv(x)),
    "types": lambda net, x: net.conv(x).to(x.dtype).type_as(x) * (net.conv(x) > 0).to(x.dtype),
    "input by name": lambda net, x: torch.flatten(input=F.relu(input=net.conv(x)), start_dim=1),
    "a sum with something of its own": lambda net, x: F.relu(net.norm(net.conv(x)) + net.bias),
    "a sum with a layer scale": lambda net, x: net.norm(net.conv(x)) + net.gamma.view(-1, 1, 1),
    "a sum with one channel": lambda net, x: F.relu(net.norm(net.conv(x)) + x[:, :1]),
    "a sum with a gate": lambda net, x: net.norm(net.conv(x)) + net.spatial(x),
    "a sum with a number": lambda net, x: F.relu(net.norm(net.conv(x)) + x.size(1)),
    "batch normalisation by function": lambda net, x: F.batch_norm(
        net.conv(x), net.mean, net.variance, net.gamma, net.gamma * 2, net.training, 0.2
    ),
    "batch normalisation by function, of the batch alone": lambda net, x: F.batch_norm(
        net.conv(x), None, None, training=True
    ),
    "batch normalisation by function, of tokens": lambda net, x: F.batch_norm(
        net.conv(x).flatten(2), net.mean, net.variance, training=net.training
    ),
    "pooled by function": lambda net, x: (
        F.max_pool2d(net.conv(x), 2) + F.avg_pool2d(net.conv(x), 2)
    ),
    "pooled in one dimension": lambda net, x: F.avg_pool1d(net.conv(x).mean((2, 3)), 2),
}


def _gated(parts):
    a, b = parts
    return a * b.sigmoid()


def _cbam(net, y):
    pooled = torch.cat([y.mean(1, keepdim=True), torch.max(y, dim=1, keepdim=True)[0]], dim=1)
    return y * torch.sigmoid(net.spatial(pooled))


def _attention(net, x):
    batch, length, width = x.shape
    qkv = torch.cat([net.linear(x), x, x * 2], -1).reshape(batch, length, 3, 2, width // 2)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v)
    weights = (q * 0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
    return (y + weights @ v).transpose(1, 2).reshape(batch, length, width)


def _summed_in_place(x):
    y = x * 2
    y += x
    y -= 0.5
    return y


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_forwards(forward, images):
    kind = type("Network", (Parts,), {"forward": lambda self, x: forward(self, x).flatten(1)})
    if len(images) == 1:  # one batch suffices for what is not replayed
        assert_same_numbers(cells_of(kind), images)
    assert assert_same_training(cells_of(kind), images)


class Normalized(Parts):
    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return F.batch_norm(x, self.mean, self.variance, None, self.gamma, self.training)


def test_batch_normalisation_of_vectors_by_function():
    images = torch.rand(5, 2, 6, 5, generator=torch.Generator().manual_seed(1))
    assert_same_numbers(cells_of(Normalized), images)
    assert assert_same_training(cells_of(Normalized), images)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_weights_by_parametrization(images):
    def network():
        return nn.Sequential(nn.utils.parametrizations.weight_norm(conv()), nn.Flatten())

    assert_same_numbers(cells_of(network), images)
    assert assert_same_training(cells_of(network), images)


def test_importing_the_package_registers_every_rule():
    code = "import sys, augbench.packed; print(*(m for m in sys.modules if 'packed.rules.' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert loaded == {path.stem for path in Path(layers.__file__).parent.glob("*.py")} - {
        "__init__"
    }


@pytest.mark.parametrize(
    "function", [operator.getitem, torch.cat, torch.flatten, F.scaled_dot_product_attention]
)
def test_functions_with_a_rule_of_their_own_are_served_by_it(function):
    served = rule_of(function)
    assert served.__module__ == "augbench.packed.rules.functions"
