"""Layers on maps, the endings that make vectors of them, and what is done by hand in between."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from fuzzing.pieces import Call, piece

_YES, _NO = (True, False), (False, True)
_WIDTHS = (4, 2, 3, 6, 8, 16)


@piece(
    "map",
    weight=9,
    out=_WIDTHS,
    kernel=(3, 1, 2, 5, (1, 3), (3, 1)),
    stride=(1, 1, 1, 2, (2, 1)),
    padding=(1, 0, 2, "same", (0, 1)),
    mode=("zeros", "zeros", "zeros", "circular", "reflect", "replicate"),
    dilation=(1, 1, 1, 2),
    groups=(1, 1, 1, 2, "all"),
    bias=_YES,
)
def conv(shape, out, kernel, stride, padding, mode, dilation, groups, bias):
    groups = shape[0] if groups == "all" else groups
    out = math.ceil(out / groups) * groups
    return nn.Conv2d(
        shape[0], out, kernel, stride, padding, dilation, groups, bias, padding_mode=mode
    )


@piece("map", weight=6, out=_WIDTHS, bias=_YES)
def conv3(shape, out, bias):
    """The convolution that most networks are made of."""
    return nn.Conv2d(shape[0], out, 3, padding=1, bias=bias)


@piece("map", kernel=(3, 5, 2), multiplier=(1, 2), stride=(1, 2), bias=_YES)
def depthwise(shape, kernel, multiplier, stride, bias):
    c = shape[0]
    return nn.Conv2d(c, c * multiplier, kernel, stride, kernel // 2, groups=c, bias=bias)


@piece("map", out=(4, 2, 3), kernel=(2, 3), stride=(2, 1), padding=(0, 1), bias=_YES)
def transposed(shape, out, kernel, stride, padding, bias):
    return nn.ConvTranspose2d(shape[0], out, kernel, stride, padding, stride - 1, bias=bias)


@piece("map", weight=4, kernel=(2, 2, 3, (2, 1)), stride=(2, None, 1), padding=(0, 0, 1), ceil=_NO)
def max_pool(shape, kernel, stride, padding, ceil):
    return nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)


@piece("map", weight=2, kernel=(2, 3), stride=(2, None, 1), padding=(0, 1), ceil=_NO, count=_YES)
def avg_pool(shape, kernel, stride, padding, ceil, count):
    return nn.AvgPool2d(kernel, stride, padding, ceil, count)


@piece("map", kind=("avg", "max"), out=(2, 3, (1, 2), (None, 2)))
def adaptive_pool(shape, kind, out):
    return (nn.AdaptiveAvgPool2d if kind == "avg" else nn.AdaptiveMaxPool2d)(out)


@piece("map", weight=0.5)
def lp_pool(shape):
    return nn.LPPool2d(2, 2)


@piece("map", kind=("max", "avg", "adaptive_avg", "adaptive_max", "lp"))
def function_pool(shape, kind):
    calls = {
        "max": lambda x: F.max_pool2d(x, 2),
        "avg": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1),
        "adaptive_avg": lambda x: F.adaptive_avg_pool2d(x, (2, 2)),
        "adaptive_max": lambda x: F.adaptive_max_pool2d(x, 2),
        "lp": lambda x: F.max_pool2d(x, kernel_size=3, stride=2, padding=1, ceil_mode=True),
    }
    return Call(calls[kind])


@piece(
    "map",
    kind=("zero", "constant", "reflection", "replication", "circular"),
    size=(1, (0, 2, 1, 0)),
)
def padding_layer(shape, kind, size):
    kinds = {
        "zero": nn.ZeroPad2d,
        "constant": lambda size: nn.ConstantPad2d(size, 0.5),
        "reflection": nn.ReflectionPad2d,
        "replication": nn.ReplicationPad2d,
        "circular": nn.CircularPad2d,
    }
    return kinds[kind](size)


@piece("map", kind=("zero", "value", "channels", "reflect", "replicate", "circular"))
def function_pad(shape, kind):
    calls = {
        "zero": lambda x: F.pad(x, (1, 0, 0, 1)),
        "value": lambda x: F.pad(x, (1, 1), value=-1.0),
        "channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
        "reflect": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
        "replicate": lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"),
        "circular": lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
    }
    return Call(calls[kind])


@piece("map", weight=0.5, kind=("nearest", "bilinear", "interpolate"))
def upsample(shape, kind):
    if kind == "interpolate":
        return Call(lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"))
    return nn.Upsample(scale_factor=2, mode=kind)


@piece("map", weight=0.7, up=_YES)
def pixel_shuffle(shape, up):
    if up:
        return nn.Sequential(nn.Conv2d(shape[0], 8, 1), nn.PixelShuffle(2))
    return nn.PixelUnshuffle(2)


@piece("map", weight=1.5, kind=("view", "reshape", "layer"), groups=(2, 3))
def channel_shuffle(shape, kind, groups):
    def view(x):
        batch, channels, height, width = x.size()
        x = x.view(batch, groups, channels // groups, height, width)
        return torch.transpose(x, 1, 2).contiguous().view(batch, -1, height, width)

    def reshape(x):
        b, c, h, w = x.shape
        return x.reshape(b, groups, c // groups, h, w).permute(0, 2, 1, 3, 4).reshape(b, c, h, w)

    shuffle = {"view": view, "reshape": reshape}
    after = nn.ChannelShuffle(groups) if kind == "layer" else Call(shuffle[kind])
    return nn.Sequential(nn.Conv2d(shape[0], 2 * groups, 1), after)


@piece("map", weight=1.5, kind=("chunk", "split", "slice", "stack", "unbind", "narrow"))
def divided(shape, kind):
    """Channels apart and together again, as in ShuffleNet, Inception, Maxout or gated units."""
    c = 2 * math.ceil(shape[0] / 2)
    even, half = nn.Conv2d(shape[0], c, 1), nn.Conv2d(c // 2, c // 2, 3, padding=1)

    def chunk(x, even, half):
        one, other = even(x).chunk(2, dim=1)
        return torch.cat((one, half(other)), dim=1)

    def split(x, even, half):
        one, other = torch.split(even(x), c // 2, dim=1)
        return one * torch.sigmoid(half(other))

    def slice(x, even, half):
        x = even(x)
        return torch.cat([half(x[:, : c // 2]), x[:, c // 2 :]], 1)

    def stack(x, even, half):
        one, other = even(x).chunk(2, 1)
        return torch.stack([one, half(other), other]).mean(0)

    def unbind(x, even, half):
        x = even(x)
        return x.view(x.size(0), 2, -1, x.size(2), x.size(3)).max(dim=1)[0]

    def narrow(x, even, half):
        return half(torch.narrow(even(x), 1, 0, c // 2))

    return Call(locals()[kind], even, half)


@piece("map", kind=("rows", "turned", "mirrored", "cropped", "strided", "transposed", "rolled"))
def rearranged(shape, kind):
    calls = {
        "rows": lambda x: x[:, :, 1:],
        "turned": lambda x: torch.rot90(x, 1, (2, 3)),
        "mirrored": lambda x: torch.flip(x, (3,)),
        "cropped": lambda x: x[..., 1:-1, 1:-1],
        "strided": lambda x: x[:, :, ::2, ::2],
        "transposed": lambda x: x.transpose(2, 3),
        "rolled": lambda x: torch.roll(x, 1, 2),
    }
    return Call(calls[kind])


@piece(
    "end",
    weight=8,
    kind=(
        *("layer", "layer", "torch", "method", "view_size", "view_len", "reshape", "keyword"),
        *("unflattened",),
    ),
)
def flatten(shape, kind):
    calls = {
        "torch": lambda x: torch.flatten(x, 1),
        "keyword": lambda x: torch.flatten(x, start_dim=1, end_dim=-1),
        "method": lambda x: x.flatten(1),
        "view_size": lambda x: x.contiguous().view(x.size(0), -1),
        "view_len": lambda x: x.reshape(len(x), -1),
        "reshape": lambda x: x.reshape(x.shape[0], -1),
        "unflattened": lambda x: x.reshape(-1, math.prod(shape)),
    }
    return nn.Flatten() if kind == "layer" else Call(calls[kind])


@piece(
    "end",
    weight=8,
    kind=(
        *("layers", "layers", "function", "mean", "mean_twice", "squeeze", "view", "sum", "amax"),
        *("max_layers", "both", "std", "index", "whole_kernel"),
    ),
)
def pooled(shape, kind):
    height, width = shape[1:]
    calls = {
        "function": lambda x: torch.flatten(F.adaptive_avg_pool2d(x, 1), 1),
        "mean": lambda x: x.mean((2, 3)),
        "mean_twice": lambda x: x.mean(-1).mean(-1),
        "squeeze": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
        "view": lambda x: F.adaptive_avg_pool2d(x, (1, 1)).view(x.size(0), -1),
        "sum": lambda x: x.sum(dim=[2, 3]) / (height * width),
        "amax": lambda x: torch.amax(x, dim=(2, 3)),
        "both": lambda x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1),
        "std": lambda x: torch.cat([x.mean((2, 3)), x.flatten(2).std(2)], 1),
        "index": lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0],
        "whole_kernel": lambda x: F.avg_pool2d(x, x.size()[2:]).flatten(1),
    }
    if kind == "layers":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if kind == "max_layers":
        return nn.Sequential(nn.AdaptiveMaxPool2d((1, 1)), nn.Flatten())
    return Call(calls[kind])


class _GeneralizedMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return x.clamp(min=1e-3).pow(self.p).mean((2, 3)).pow(1 / self.p)


@piece("end")
def generalized_mean(shape):
    return _GeneralizedMean()


class _Tokens(nn.Module):
    """Pixels as tokens, as in a vision transformer: a class token, positions, one block."""

    def __init__(self, shape, kind):
        super().__init__()
        c = shape[0]
        self.embed = nn.Linear(c, 4)
        self.cls = nn.Parameter(torch.randn(1, 1, 4) / 2)
        self.position = nn.Parameter(torch.randn(1, 1 + shape[1] * shape[2], 4) / 2)
        self.norm = nn.LayerNorm(4)
        self.qkv, self.project = nn.Linear(4, 12), nn.Linear(4, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True) if kind == "layer" else None
        self.kind = kind

    def forward(self, x):
        x = self.embed(x.flatten(2).transpose(1, 2))
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        y = self.norm(x)
        if self.attention is not None:
            y = self.attention(y, y, y, need_weights=False)[0]
        else:
            b, n, c = y.shape
            q, k, v = self.qkv(y).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
            if self.kind == "sdpa":
                y = F.scaled_dot_product_attention(q, k, v)
            else:
                y = (q @ k.transpose(-2, -1) * (c // 2) ** -0.5).softmax(dim=-1) @ v
            y = self.project(y.transpose(1, 2).reshape(b, n, c))
        return (x + y)[:, 0]


@piece("end", kind=("matmul", "sdpa", "layer"))
def tokens(shape, kind):
    return _Tokens(shape, kind)
