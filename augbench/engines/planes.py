"""Planes: maps whose batch lies innermost in memory, and what the kernels do with them.

A map [B, M, H, W] of M channels is *in planes* if its memory is that of a tensor [M, H, W, B]. To
torch it is a map like any other; only its strides differ. Where the kernels cannot serve (another
device, another type of number, no llvmlite), `None` is the answer, and torch's own layers serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "channels_last",
    "convolve",
    "in_planes",
    "laid_out",
    "max_pool",
    "planes_of",
    "side_by_side",
    "usable",
]

_BITS = {torch.float32: 32, torch.float64: 64}


@lru_cache(maxsize=1)
def _kernels() -> tuple[ModuleType, ModuleType, ModuleType] | None:
    """The rooms of the kernels, or None where they cannot be had."""
    try:
        from augbench.engines.kernels import code, convolution, pooling, transposition

        code.machine()
    except Exception:  # no llvmlite, or a processor that it does not know
        return None
    return convolution, pooling, transposition


def usable(x: Tensor) -> bool:
    """Whether the kernels can work on such numbers, here."""
    return x.device.type == "cpu" and x.dtype in _BITS and _kernels() is not None


def planes_of(x: Tensor) -> Tensor:
    """A map [B, M, H, W] as [M, H, W, B], contiguous: without a copy if it is in planes."""
    return x.permute(1, 2, 3, 0).contiguous()


def in_planes(planes: Tensor) -> Tensor:
    """Planes [M, H, W, B] as the map [B, M, H, W] that they are."""
    return planes.permute(3, 0, 1, 2)


def laid_out(images: Tensor) -> Tensor:
    """Images [B, M, H, W] in the memory layout that the layers of a packed network like best."""
    return in_planes(planes_of(images)) if usable(images) else channels_last(images)


def channels_last(images: Tensor) -> Tensor:
    """The images in channels_last memory, also where one channel leaves the strides open."""
    _, channels, height, width = images.shape
    if channels == 1:
        return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))
    wide: Tensor = images.contiguous(memory_format=torch.channels_last)
    return wide


def side_by_side(images: Sequence[Tensor], batch: int) -> Tensor:
    """K times [S·B, C, H, W] → S batches [S, B, K·C, H, W], in planes or in channels_last."""
    one = images[0]
    if not usable(one):
        wide = torch.stack(list(images)).permute(1, 3, 4, 0, 2).contiguous()  # [S·B, H, W, K, C]
        return wide.flatten(3).permute(0, 3, 1, 2).unflatten(0, (-1, batch))
    steps, size = len(one) // batch, one[0].numel()
    planes = one.new_empty(steps, len(images), *one.shape[1:], batch)  # [S, K, C, H, W, B]
    kernels = _kernels()
    for k, image in enumerate(image.contiguous() for image in images):
        if kernels is None or batch % kernels[2].SQUARE:
            planes[:, k] = image.unflatten(0, (steps, batch)).permute(0, 2, 3, 4, 1)
        else:
            addresses = planes[:, k].data_ptr(), image.data_ptr()
            kernels[2].transpose(_BITS[one.dtype])(*addresses, steps, planes.stride(0), batch, size)
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> Tensor | None:
    """`torch.nn.functional.conv2d` of a map, in planes; None if the kernels cannot do it."""
    kernels, (kh, kw) = _kernels(), weight.shape[2:]
    if kernels is None or not usable(x) or weight.dtype != x.dtype:
        return None
    if kw > kernels[0].widest_kernel() or padding[0] >= kh or padding[1] >= kw:
        return None
    planes: Tensor = _Convolution.apply(planes_of(x), weight, bias, stride, padding, groups)
    return in_planes(planes)


def max_pool(x: Tensor, size: tuple[int, int]) -> Tensor | None:
    """The maximum over windows that do not overlap; None if the kernels cannot do it."""
    if not usable(x) or size[0] * size[1] > 256 or x.shape[2] < size[0] or x.shape[3] < size[1]:
        return None
    planes: Tensor = _MaxPool.apply(planes_of(x), size)
    return in_planes(planes)


class _Convolution(torch.autograd.Function):
    """Planes [G·C, H, W, B], weights [G·O, C, kh, kw] → planes [G·O, Ho, Wo, B]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        (sh, sw), (ph, pw) = stride, padding
        _, height, width, batch = x.shape
        outputs, _, kh, kw = weight.shape
        wo = (width + 2 * pw - kw) // sw + 1
        shape = outputs, (height + 2 * ph - kh) // sh + 1, wo, batch
        x, taps = _columns(x, kw, sw, pw)
        ctx.save_for_backward(x, weight, taps)
        ctx.geometry, ctx.width, ctx.with_bias = (stride, padding, groups), width, bias is not None
        return _convolved(x, weight, bias, taps, shape, sh, ph, groups)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, taps = ctx.saved_tensors
        (sh, sw), (ph, pw), groups = ctx.geometry
        _, channels, kh, kw = weight.shape
        slopes = slopes.contiguous()
        outputs, ho, wo, batch = slopes.shape
        own_x = own_weight = own_bias = None
        if ctx.needs_input_grad[1]:
            own_weight = _weight_gradient(slopes, x, weight, taps, sh, ph, groups)
        if ctx.with_bias and ctx.needs_input_grad[2]:
            own_bias = slopes.flatten(1).sum(1)
        if ctx.needs_input_grad[0]:
            # The convolution of the slopes, set apart by the stride, with the weights turned round.
            height, width = x.shape[1], ctx.width
            left = kw - 1 - pw
            if (sh, sw) == (1, 1):
                apart = F.pad(slopes, (0, 0, left, width + pw - wo))
            else:
                apart = slopes.new_zeros(outputs, (ho - 1) * sh + 1, width + kw - 1, batch)
                apart[:, ::sh, left : left + (wo - 1) * sw + 1 : sw] = slopes
            turned = weight.unflatten(0, (groups, -1)).flip(3, 4).transpose(1, 2).flatten(0, 1)
            shape = groups * channels, height, width, batch
            steps = _taps(kw, 1, width + kw - 1, batch)
            own_x = _convolved(apart, turned, None, steps, shape, 1, kh - 1 - ph, groups)
        return own_x, own_weight, own_bias, None, None, None


class _MaxPool(torch.autograd.Function):
    """Planes [M, H, W, B] → planes [M, H // kh, W // kw, B]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int]) -> Tensor:
        kernels = _kernels()
        assert kernels is not None
        kh, kw = size
        m, height, width, batch = x.shape
        out = x.new_empty(m, height // kh, width // kw, batch)
        place = torch.empty(out.shape, dtype=torch.uint8)
        kernels[1].pool(kh, kw, _BITS[x.dtype])(
            out.data_ptr(), place.data_ptr(), x.data_ptr(), m, height, width, *out.shape[1:]
        )
        ctx.save_for_backward(place)
        ctx.size, ctx.shape = size, x.shape
        return out

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        kernels = _kernels()
        assert kernels is not None
        (place,), (kh, kw), (_, height, width, _) = ctx.saved_tensors, ctx.size, ctx.shape
        slopes = slopes.contiguous()
        covered = height % kh == 0 and width % kw == 0
        result = (slopes.new_empty if covered else slopes.new_zeros)(ctx.shape)
        kernels[1].pool_gradient(kh, kw, _BITS[slopes.dtype])(
            result.data_ptr(),
            slopes.data_ptr(),
            place.data_ptr(),
            *ctx.shape[:3],
            *slopes.shape[1:],
        )
        return result, None


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    taps: Tensor,
    shape: tuple[int, int, int, int],
    stride: int,
    padding: int,
    groups: int,
) -> Tensor:
    """Call the kernel; `x` holds rows whose columns `taps` finds, `shape` is the result's."""
    kernels = _kernels()
    assert kernels is not None
    outputs, channels, kh, kw = weight.shape
    tile = kernels[0].block_of(outputs // groups)
    packed = weight.detach().unflatten(0, (-1, tile)).permute(0, 2, 3, 4, 1).contiguous()
    bias = x.new_zeros(outputs) if bias is None else bias.detach().contiguous()
    out = x.new_empty(shape)
    kernels[0].convolve(tile, _BITS[x.dtype])(
        *(value.data_ptr() for value in (out, x, packed, bias, taps)),
        *(groups, outputs // groups // tile, channels, x.shape[1], shape[1]),
        *(shape[2] * shape[3], x[0, 0].numel(), stride, padding, kh, kw),
    )
    return out


def _weight_gradient(
    slopes: Tensor, x: Tensor, weight: Tensor, taps: Tensor, stride: int, padding: int, groups: int
) -> Tensor:
    kernels = _kernels()
    assert kernels is not None
    outputs, channels, kh, kw = weight.shape
    tile = kernels[0].block_of(outputs // groups, max(1, kernels[0].widest_kernel() // kw))
    result = weight.new_empty(weight.shape)
    kernels[0].weight_gradient(tile, kw, _BITS[x.dtype])(
        *(value.data_ptr() for value in (result, slopes, x, taps)),
        *(groups, outputs // groups // tile, channels, x.shape[1], slopes.shape[1]),
        *(slopes[0, 0].numel(), x[0, 0].numel(), stride, padding, kh),
    )
    return result


def _columns(x: Tensor, kw: int, stride: int, padding: int) -> tuple[Tensor, Tensor]:
    """The rows of planes, padded; with a stride, columns of one remainder lie side by side.

    Returns [M, H, row…, B] and the offset of each column of the kernel in such a row.
    """
    width = x.shape[2]
    fill = -(width + 2 * padding) % stride
    if padding or fill:
        x = F.pad(x, (0, 0, padding, padding + fill))
    if stride > 1:
        x = x.unflatten(2, (-1, stride)).transpose(2, 3).contiguous().flatten(2, 3)
    return x, _taps(kw, stride, x.shape[2], x.shape[3])


@lru_cache(maxsize=64)
def _taps(kw: int, stride: int, width: int, batch: int) -> Tensor:
    per_remainder = width // stride
    return torch.tensor([(j % stride * per_remainder + j // stride) * batch for j in range(kw)])
