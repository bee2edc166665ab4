"""Pieces that a packing may have to refuse: state, draws, and features that need the batch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from fuzzing.pieces import Call, piece


class _LaterOfTheBatch(nn.Module):
    """Its branch that depends on the batch starts at zero, as residual branches often do."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.gamma = kind, nn.Parameter(torch.zeros(1))

    def forward(self, x):
        if self.kind == "mean":
            return x + self.gamma * (x - x.mean(0, keepdim=True))
        return x * (1 + self.gamma * x.abs().max())


@piece("any", odd=True, kind=("mean", "max"))
def of_the_batch_later(shape, kind):
    return _LaterOfTheBatch(kind)


class _Counting(nn.Module):
    """Does something else from call to call; `kind` says where it counts, and what comes of it."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.calls = kind, 0
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("ticks", torch.zeros(1, dtype=torch.long), persistent=False)

    def forward(self, x):
        if self.kind == "buffer":
            if self.training:
                self.steps += 1
            return x * (1 + 0.1 * self.steps)
        if self.kind == "long_buffer":
            self.ticks.add_(1)
            return x / (1 + self.ticks)
        if self.kind == "new_buffer":
            self.steps = self.steps + 1
            return x * (1 + self.steps / 10)
        self.calls += 1
        if self.kind == "attribute":
            return x * (1 + 0.1 * self.calls)
        if self.kind == "every_other":
            return x if self.calls % 2 else -x
        if self.kind == "warmup":
            return x if self.calls < 6 else torch.tanh(x) * 2
        return x if self.calls < 10 else x * 2  # "late": after any short probe


@piece(
    "any",
    weight=3,
    odd=True,
    kind=("buffer", "long_buffer", "new_buffer", "attribute", "every_other", "warmup", "late"),
)
def counting(shape, kind):
    return _Counting(kind)


class _Running(nn.Module):
    """Statistics of its own over the training."""

    def __init__(self, shape, kind):
        super().__init__()
        self.kind = kind
        channels = torch.ones(shape[0], *(1,) * (len(shape) - 1))
        self.register_buffer("largest", torch.full((), 1e-3))
        self.register_buffer("average", channels)
        self.last = None

    def forward(self, x):
        dims = [0, *range(2, x.ndim)]
        if self.training:
            with torch.no_grad():
                if self.kind == "max":
                    self.largest.copy_(torch.maximum(self.largest, x.abs().max()))
                elif self.kind == "max_assigned":
                    self.largest = torch.maximum(self.largest, x.detach().abs().max())
                elif self.kind == "average":
                    self.average.mul_(0.9).add_(0.1 * x.abs().mean(dims, keepdim=True)[0])
                elif self.kind == "data":
                    self.average.data = 0.5 * self.average + x.detach().abs().mean(dims, True)[0]
        if self.kind == "previous":
            mean = x.detach().mean(0, keepdim=True)
            before, self.last = self.last, mean if self.training else self.last
            return x if before is None else x - 0.5 * before
        return x / (self.largest if "max" in self.kind else self.average)


@piece("any", weight=2, odd=True, kind=("max", "max_assigned", "average", "data", "previous"))
def running(shape, kind):
    return _Running(shape, kind)


class _Growing(nn.Module):
    """A parameter changed in forward, or a mode kept as an attribute."""

    def __init__(self, shape, kind):
        super().__init__()
        self.kind, self.scale = kind, nn.Parameter(torch.ones(1))
        self.trained = False

    def forward(self, x):
        if self.kind == "clipped":
            with torch.no_grad():
                self.scale.clamp_(0.99, 1.01)
            return x * self.scale
        x = x * self.scale
        if self.kind == "mode":
            return x * 2 if self.training else x
        if self.kind == "grad":
            return x if torch.is_grad_enabled() else x * 0.5
        self.trained = self.trained or self.training
        return x + 1 if self.trained else x


@piece("any", weight=1.5, odd=True, kind=("mode", "clipped", "grad", "once"))
def moody(shape, kind):
    return _Growing(shape, kind)


@piece(
    "any",
    weight=3,
    odd=True,
    kind=(
        "max",
        "mean",
        "std",
        "sorted",
        "rolled",
        "softmax",
        "norm",
        "largest",
        "first",
        "size",
        "dim0_bn",
        "rank",
    ),
)
def of_the_batch(shape, kind):
    calls = {
        "max": lambda x: x / (x.abs().max() + 1e-6),
        "mean": lambda x: x - x.mean(dim=0, keepdim=True),
        "std": lambda x: x * (1 + x.std(0, unbiased=False).mean()),
        "sorted": lambda x: x + 0.1 * x.sort(dim=0)[0],
        "rolled": lambda x: x + 0.1 * torch.roll(x, 1, 0),
        "softmax": lambda x: torch.softmax(x, 0) * len(x),
        "norm": lambda x: x / (x.norm() + 1e-6),
        "largest": lambda x: x / x.amax(0, keepdim=True).clamp(min=0.1),
        "first": lambda x: x - 0.1 * x[:1],
        "size": lambda x: x * (1 + 0.1 * x.shape[0]),
        "rank": lambda x: x * (x.mean() > 0.3),
        "dim0_bn": lambda x: F.batch_norm(x, None, None, training=True),
    }
    return Call(calls[kind])


@piece(
    "any",
    weight=2,
    odd=True,
    kind=("dropout", "dropout2d", "noise", "bernoulli", "depth", "rrelu", "keyword"),
)
def drawing(shape, kind):
    """Random numbers from torch's own generator, in training alone."""
    return _Drawing(kind)


class _Drawing(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        if self.kind == "dropout":
            return F.dropout(x, 0.4, self.training)
        if self.kind == "keyword":
            return F.dropout(x, p=0.4, training=self.training)
        if self.kind == "dropout2d":
            return (
                F.dropout2d(x, 0.4, self.training)
                if x.ndim == 4
                else F.dropout(x, 0.4, self.training)
            )
        if self.kind == "rrelu":
            return F.rrelu(x, training=self.training)
        if not self.training:
            return x
        if self.kind == "noise":
            return x + 0.1 * torch.randn_like(x)
        if self.kind == "bernoulli":
            return x * torch.bernoulli(torch.full_like(x, 0.7))
        keep = x.new_empty(x.shape[0], *(1,) * (x.ndim - 1)).bernoulli_(0.8)
        return x * keep / 0.8


@piece("any", weight=1, odd=True, kind=("if_mean", "item", "numpy", "loop", "hook", "no_grad"))
def untraceable(shape, kind):
    def if_mean(x):
        return x * 2 if x.mean() > 0.5 else x

    def item(x):
        return x / (1 + x.detach().abs().mean().item())

    def numpy(x):
        return x + float(x.detach().numpy().sum()) * 0.001

    def loop(x):
        for _ in range(x.shape[1]):
            x = x * 0.9
        return x

    def no_grad(x):
        with torch.no_grad():
            y = torch.tanh(x)
        return x * y

    if kind == "hook":
        layer = nn.Tanh()
        layer.register_forward_hook(lambda module, inputs, output: output * 2)
        return layer
    return Call(locals()[kind])
