"""Layers on vectors, and those that take maps and vectors alike: activations, norms, arithmetic."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from fuzzing.elementwise import LAYERS, MATHS
from fuzzing.pieces import Call, piece

_YES, _NO = (True, False), (False, True)


@piece("vector", weight=6, out=(7, 3, 5, 16), bias=_YES)
def linear(shape, out, bias):
    return nn.Linear(shape[0], out, bias=bias)


@piece(
    "vector",
    weight=4,
    affine=(True, True, False),
    track=(True, True, True, False),
    momentum=(0.1, None, 0.5),
)
def bn1d(shape, affine, track, momentum):
    return nn.BatchNorm1d(shape[0], affine=affine, track_running_stats=track, momentum=momentum)


@piece("vector", weight=0.7, kind=("normalize", "by_hand", "centred", "softmax_twice"))
def of_vectors(shape, kind):
    calls = {
        "normalize": lambda x: F.normalize(x, dim=1),
        "by_hand": lambda x: x / (x.norm(dim=1, keepdim=True) + 1e-6),
        "centred": lambda x: x - x.mean(dim=1, keepdim=True),
        "softmax_twice": lambda x: torch.softmax(x, -1) * x.shape[1],
    }
    return Call(calls[kind])


class _OwnLinear(nn.Module):
    def __init__(self, width, kind):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, width) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(5))
        self.kind = kind

    def forward(self, x):
        if self.kind == "function":
            return F.linear(x, self.weight, self.bias)
        return torch.matmul(x, self.weight.t()) + self.bias


@piece("vector", weight=0.7, kind=("function", "matmul"))
def own_linear(shape, kind):
    return _OwnLinear(shape[0], kind)


@piece("vector", weight=0.7)
def mlp_residual(shape):
    def add(x, body):
        return x + body(x)

    d = shape[0]
    return Call(add, nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 6), nn.GELU(), nn.Linear(6, d)))


@piece("any", weight=5, kind=("relu", "relu", *LAYERS))
def act(shape, kind):
    return LAYERS[kind]()


@piece("any", weight=1.5, parameters=("one", "channels"))
def prelu(shape, parameters):
    return nn.PReLU(1 if parameters == "one" else shape[0])


@piece("any", weight=1.5, kind=("softmax", "log_softmax", "function", "softmin", "last"))
def softmax(shape, kind):
    layers = {
        "softmax": nn.Softmax(dim=1),
        "log_softmax": nn.LogSoftmax(dim=1),
        "softmin": nn.Softmin(dim=1),
        "function": Call(lambda x: F.softmax(x, dim=1)),
        "last": Call(lambda x: x.softmax(dim=-1)),
    }
    return layers[kind]


@piece("any", weight=1.5, kind=("layer", "function", "chunk", "chunk_gelu", "crelu", "maxout"))
def gated(shape, kind):
    """Units that halve or double the channels."""
    calls = {
        "function": lambda x: F.glu(x, dim=1),
        "crelu": lambda x: torch.cat([F.relu(x), F.relu(-x)], dim=1),
        "maxout": lambda x: torch.maximum(*x.chunk(2, 1)),
    }

    def chunk(x):
        a, b = x.chunk(2, dim=1)
        return a * torch.sigmoid(b)

    def chunk_gelu(x):
        a, b = torch.chunk(x, 2, 1)
        return a * F.gelu(b)

    if kind == "layer":
        return nn.GLU(dim=1)
    return Call(calls.get(kind) or {"chunk": chunk, "chunk_gelu": chunk_gelu}[kind])


@piece("any", weight=4, kind=tuple(MATHS))
def maths(shape, kind):
    return Call(MATHS[kind])


@piece("any", weight=1.5, kind=("plus", "times", "augmented", "augmented_own", "sigmoid"))
def in_place(shape, kind):
    """Changes of a value in place, after a layer of the module's own or before."""

    def plus(x):
        y = x * 2
        y += x
        return y

    def times(x):
        return (x + 1).mul_(0.5)

    def augmented(x):
        y = x * 1
        y[:, 0] = y[:, 0] * 0.5
        return y

    def augmented_own(x):
        y = torch.zeros_like(x)
        y[:, :1] += x[:, :1]
        return y + x

    def sigmoid(x):
        return (x - 0.5).sigmoid_().add_(x)

    return Call(locals()[kind])


@piece("any", weight=0.7, factor=(1e30, 1e-30, 1e10, 255.0, 1 / 255))
def constant(shape, factor):
    return Call(lambda x: x * factor)


@piece(
    "any",
    weight=5,
    affine=(True, True, False),
    track=(True, True, True, False),
    momentum=(0.1, 0.1, None, 0.9),
    eps=(1e-5, 1e-3),
)
def bn(shape, affine, track, momentum, eps):
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0], eps, momentum, affine, track)


@piece("any", weight=2, groups=(1, 2, "all"), affine=_YES)
def group_norm(shape, groups, affine):
    return nn.GroupNorm(shape[0] if groups == "all" else groups, shape[0], affine=affine)


@piece("any", weight=2, dims=("all", "last", "channels_last", "rows"), affine=_YES, bias=_YES)
def layer_norm(shape, dims, affine, bias):
    if len(shape) == 1 or dims == "all":
        return nn.LayerNorm(shape, elementwise_affine=affine, bias=bias)
    if dims == "channels_last":

        def channels_last(x, norm):
            return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

        return Call(channels_last, nn.LayerNorm(shape[0], elementwise_affine=affine, bias=bias))
    size = shape[2:] if dims == "last" else shape[1:]
    return nn.LayerNorm(size, elementwise_affine=affine, bias=bias)


@piece("map", weight=1.5, affine=_YES, track=_NO)
def instance_norm(shape, affine, track):
    return nn.InstanceNorm2d(shape[0], affine=affine, track_running_stats=track)


@piece("map", weight=0.5)
def local_response(shape):
    return nn.LocalResponseNorm(3)


@piece(
    "any",
    weight=3,
    kind=("values", "channels", "values", "alpha", "feature_alpha"),
    p=(0.3, 0.5, 0.0, 1.0),
)
def dropout(shape, kind, p):
    kinds = {
        "values": nn.Dropout,
        "channels": nn.Dropout2d if len(shape) == 3 else nn.Dropout,
        "alpha": nn.AlphaDropout,
        "feature_alpha": nn.FeatureAlphaDropout,
    }
    return kinds[kind](p)
