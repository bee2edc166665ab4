"""Modules as users write them: blocks, attention, own parameters, tied and frozen weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from fuzzing.pieces import Call, piece

_YES, _NO = (True, False), (False, True)


def _body(channels, out, kind, stride=1):
    conv = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
    return {
        "norm": lambda: nn.Sequential(conv, nn.BatchNorm2d(out)),
        "two": lambda: nn.Sequential(
            *(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True)),
            *(nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out)),
        ),
        "plain": lambda: nn.Sequential(conv, nn.ReLU()),
        "inverted": lambda: nn.Sequential(
            *(nn.Conv2d(channels, 2 * channels, 1), nn.ReLU6()),
            nn.Conv2d(2 * channels, 2 * channels, 3, stride, 1, groups=2 * channels),
            *(nn.BatchNorm2d(2 * channels), nn.Conv2d(2 * channels, out, 1)),
        ),
        "dropped": lambda: nn.Sequential(conv, nn.Dropout2d(0.3), nn.ELU()),
    }[kind]()


@piece(
    "map",
    weight=5,
    body=("norm", "two", "plain", "inverted", "dropped"),
    sum=("plus", "in_place", "in_place_other", "torch", "scaled"),
    rectified=_YES,
    shortcut=("identity", "projection"),
)
def residual(shape, body, sum, rectified, shortcut):
    c = shape[0]
    projected = shortcut == "projection"
    stride, out = (2, c + 2) if projected else (1, c)

    def plus(x, y):
        return x + y

    def in_place(x, y):
        y += x
        return y

    def in_place_other(x, y):
        x = x * 1
        x += y
        return x

    def torch_add(x, y):
        return torch.add(y, x)

    def scaled(x, y):
        return x + 0.2 * y

    adds = {"plus": plus, "in_place": in_place, "in_place_other": in_place_other,
            "torch": torch_add, "scaled": scaled}  # fmt: skip
    add = adds[sum]

    def block(x, body, short):
        y = add(short(x), body(x))
        return F.relu(y) if rectified else y

    short = (
        nn.Sequential(nn.Conv2d(c, out, 1, 2), nn.BatchNorm2d(out)) if projected else nn.Identity()
    )
    return Call(block, _body(c, out, body, stride), short)


@piece("map", weight=1.5, body=("norm", "plain", "dropped"), order=("after", "before", "three"))
def dense(shape, body, order):
    def block(x, body):
        y = body(x)
        parts = {"after": [x, y], "before": [y, x], "three": [x, y, y * x.mean((1, 2, 3), True)]}
        return torch.cat(parts[order], dim=1)

    return Call(block, _body(shape[0], 4, body))


@piece("map", weight=2.5, kind=("index", "view", "convs", "unsqueeze", "view_size", "hard"))
def squeeze_excite(shape, kind):
    c = shape[0]

    def index(x, one, other):
        return x * torch.sigmoid(other(F.relu(one(x.mean((2, 3))))))[:, :, None, None]

    def view(x, one, other):
        y = F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)
        return x * other(one(y).relu()).sigmoid().view(x.size(0), -1, 1, 1)

    def unsqueeze(x, one, other):
        y = other(F.silu(one(x.mean(dim=(-2, -1)))))
        return x * y.sigmoid().unsqueeze(-1).unsqueeze(-1)

    def view_size(x, one, other):
        b, c, _, _ = x.size()
        y = F.adaptive_avg_pool2d(x, 1).view(b, c)
        y = torch.sigmoid(other(torch.relu(one(y)))).view(b, c, 1, 1)
        return x * y.expand_as(x)

    def convs(x, one, other):
        return x * torch.sigmoid(other(F.relu(one(F.adaptive_avg_pool2d(x, 1)))))

    def hard(x, one, other):
        y = other(F.relu(one(x.mean((2, 3), keepdim=True))))
        return F.hardsigmoid(y) * x

    layer = (lambda a, b: nn.Conv2d(a, b, 1)) if kind in ("convs", "hard") else nn.Linear
    return Call(locals()[kind], layer(c, 2), layer(2, c))


@piece("map", weight=1.5, kind=("cbam", "conv", "mean", "softmax"))
def spatial_attention(shape, kind):
    c = shape[0]

    def cbam(x, conv):
        y = torch.cat([x.mean(1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1)
        return x * torch.sigmoid(conv(y))

    def conv(x, conv):
        return x * torch.sigmoid(conv(x))

    def mean(x, conv):
        return x * torch.sigmoid(conv(x.mean(dim=1, keepdim=True)))

    def softmax(x, conv):
        y = conv(x)
        return x * F.softmax(y.flatten(2), dim=2).view_as(y) * y.shape[2]

    inputs = {"cbam": 2, "conv": c, "mean": 1, "softmax": c}[kind]
    return Call(locals()[kind], nn.Conv2d(inputs, 1, 3, padding=1))


class _Own(nn.Module):
    def __init__(self, shape, kind):
        super().__init__()
        one = torch.ones(shape[0], *(1,) * (len(shape) - 1))
        self.kind = kind
        self.gamma = nn.Parameter(0.5 * (one[:1] if kind == "scalar" else one))
        self.beta = nn.Parameter(torch.zeros_like(one))
        self.register_buffer("mean", one * 0.4)

    def forward(self, x):
        if self.kind == "standardised":
            return (x - self.mean) * self.gamma
        if self.kind == "grn":
            norm = x.abs().flatten(2).sum(2) if x.ndim == 4 else x.abs()
            norm = norm / (norm.mean(1, keepdim=True) + 1e-3)
            return x * (norm.view(*norm.shape, *(1,) * (x.ndim - 2)) * self.gamma) + x
        return x * self.gamma + self.beta


@piece("any", weight=3, kind=("channels", "scalar", "standardised", "grn"))
def own_parameter(shape, kind):
    return _Own(shape, kind)


class _ConvNext(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(c, c, 3, padding=1, groups=c), nn.LayerNorm(c)
        self.wide, self.narrow = nn.Linear(c, 2 * c), nn.Linear(2 * c, c)
        self.gamma = nn.Parameter(0.3 * torch.ones(c))

    def forward(self, x):
        y = self.norm(self.conv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.narrow(F.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


@piece("map")
def conv_next(shape):
    return _ConvNext(shape[0])


class _Tied(nn.Module):
    """One parameter in two modules, or one module called twice."""

    def __init__(self, shape, kind):
        super().__init__()
        c, maps = shape[0], len(shape) == 3
        layer = (lambda: nn.Conv2d(c, c, 3, padding=1)) if maps else (lambda: nn.Linear(c, c))
        self.one = layer()
        self.norm = (nn.BatchNorm2d if maps else nn.BatchNorm1d)(c)
        self.kind = kind
        self.other = self.one if kind in ("twice", "same_norm") else layer()
        if kind == "weight":
            self.other.weight = self.one.weight

    def forward(self, x):
        if self.kind == "same_norm":
            return self.norm(self.one(self.norm(x)))
        return self.other(torch.tanh(self.one(x)))


@piece("any", weight=2, kind=("twice", "weight", "same_norm"))
def tied(shape, kind):
    return _Tied(shape, kind)


@piece("any", weight=2, kind=("layer", "weight", "affine", "bias"))
def frozen(shape, kind):
    """Frozen parameters beside trainable ones."""
    maps, c = len(shape) == 3, shape[0]
    layer = nn.Conv2d(c, 4, 3, padding=1) if maps else nn.Linear(c, 4)
    norm = (nn.BatchNorm2d if maps else nn.BatchNorm1d)(4)
    for name, value in [*layer.named_parameters(), *norm.named_parameters()]:
        of_norm = any(value is one for one in norm.parameters())
        held = {"layer": not of_norm, "weight": not of_norm and name == "weight", "affine": of_norm}
        value.requires_grad_(not held.get(kind, of_norm and name == "bias"))
    return nn.Sequential(layer, norm)


class _Unused(nn.Module):
    def __init__(self, shape, kind):
        super().__init__()
        self.kind, self.layer = kind, nn.Linear(3, 3)
        self.spare = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x + 0 * self.spare.sum() if self.kind == "multiplied" else x * 1


@piece("any", kind=("never", "multiplied"))
def unused(shape, kind):
    return _Unused(shape, kind)


@piece("map", weight=0.7, kind=("weight", "spectral"))
def parametrized(shape, kind):
    conv = nn.Conv2d(shape[0], 4, 3, padding=1)
    parametrizations = nn.utils.parametrizations
    norms = {"weight": parametrizations.weight_norm, "spectral": parametrizations.spectral_norm}
    return norms[kind](conv)


class _Coordinates(nn.Module):
    def __init__(self, shape):
        super().__init__()
        rows = torch.linspace(-1, 1, shape[1]).view(1, 1, -1, 1).expand(1, 1, *shape[1:])
        self.register_buffer("rows", rows.clone())

    def forward(self, x):
        return torch.cat([x, self.rows.expand(len(x), -1, -1, -1)], dim=1)


@piece("map", weight=0.7)
def coordinates(shape):
    return _Coordinates(shape)
