"""Planes: maps whose batch lies innermost in memory, and what the kernels do with them.

A map [B, M, H, W] of M channels is *in planes* if its memory is that of a tensor [M, H, W, B]. To
torch it is a map like any other; only its strides differ. Where the kernels cannot serve (another
device, another type of number, no llvmlite), `None` is the answer, and torch's own layers serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = [
    "batch_norm",
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
def _kernels() -> Any:
    """The room of the kernels, or None where they cannot be had."""
    try:
        from augbench.engines import kernels

        kernels.machine()
    except (ImportError, RuntimeError):  # no llvmlite, or a processor that it does not know
        return None
    return kernels


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
    return images.contiguous(memory_format=torch.channels_last)


def side_by_side(images: Sequence[Tensor], batch: int) -> Tensor:
    """K times [S·B, C, H, W] → S batches [S, B, K·C, H, W], in planes or in channels_last."""
    one, kernels = images[0], _kernels()
    if not usable(one):
        wide = torch.stack(list(images)).permute(1, 3, 4, 0, 2).flatten(3)  # [S·B, H, W, K·C]
        return wide.permute(0, 3, 1, 2).view(-1, batch, wide.shape[3], *one.shape[2:])
    steps, size = len(one) // batch, one[0].numel()
    planes = one.new_empty(steps, len(images), *one.shape[1:], batch)  # [S, K, C, H, W, B]
    for k, image in enumerate(image.contiguous() for image in images):
        if batch % kernels.SQUARE:
            planes[:, k] = image.unflatten(0, (steps, batch)).permute(0, 2, 3, 4, 1)
        else:
            addresses = planes[:, k].data_ptr(), image.data_ptr()
            kernels.transpose(_BITS[one.dtype])(*addresses, steps, planes.stride(0), batch, size)
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    pool: tuple[int, int] | None = None,
    rectify: bool = False,
) -> Tensor | None:
    """`torch.nn.functional.conv2d` of a map, in planes; None if the kernels cannot do it.

    With `pool`, and a stride of 1, the maximum over windows of that size that do not overlap
    follows, and with `rectify`, its positive part.
    """
    kh, kw = weight.shape[2:]
    if not usable(x) or (pool and stride != (1, 1)):
        return None
    if not _alike(weight, x, len(weight)) or not (bias is None or _alike(bias, x, len(weight))):
        return None
    if x.shape[1] != groups * weight.shape[1]:
        return None
    if kw > _kernels().widest_kernel() or padding[0] >= kh or padding[1] >= kw:
        return None
    planes, plan = planes_of(x), _Plan(stride, padding, groups)
    if pool is None:
        made: Tensor = _Convolution.apply(planes, weight, bias, plan)
    elif _poolable(_image(planes, weight, plan), pool):
        made = _PooledConvolution.apply(planes, weight, bias, plan, pool, rectify)
    else:
        return None
    return in_planes(made)


def max_pool(x: Tensor, size: tuple[int, int]) -> Tensor | None:
    """The maximum over windows that do not overlap; None if the kernels cannot do it."""
    if not usable(x) or not _poolable((x.shape[2], x.shape[3]), size):
        return None
    planes: Tensor = _MaxPool.apply(planes_of(x), size)
    return in_planes(planes)


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """A map normalised over batch, height and width, and the mean and biased variance [M] of each.

    None if the kernels cannot do it.
    """
    channels = x.shape[1]
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    if not (usable(x) and _alike(weight, x, channels) and _alike(bias, x, channels)):
        return None
    made, mean, variance = _BatchNorm.apply(planes_of(x), weight, bias, eps)
    return in_planes(made), mean, variance


def _alike(value: Tensor, x: Tensor, length: int) -> bool:
    """Whether a kernel may read so many such numbers; where not, torch says what is wrong."""
    return value.dtype == x.dtype and value.device == x.device and len(value) == length


def _poolable(image: tuple[int, int], size: tuple[int, int]) -> bool:
    fits = size[0] <= image[0] and size[1] <= image[1]
    return fits and size[0] * size[1] <= _kernels().NOWHERE


class _Plan(NamedTuple):
    """How a convolution goes."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int


class _Convolution(torch.autograd.Function):
    """Planes [G·C, H, W, B], weights [G·O, C, kh, kw] → planes [G·O, Ho, Wo, B]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, plan: _Plan) -> Tensor:
        image = _image(x, weight, plan)
        ctx.plan, ctx.width, ctx.with_bias = plan, x.shape[2], bias is not None
        x, taps = _columns(x, weight.shape[3], plan.stride[1], plan.padding[1])
        outputs, inputs, kh, kw = weight.shape
        out = x.new_empty(outputs, *image, x.shape[3])
        tile = _kernels().block_of(outputs // plan.groups)
        _call(
            _kernels().convolve(tile, _BITS[x.dtype]),
            *(out, x, weight.contiguous(), _bias(bias, weight), taps, plan.groups),
            *(outputs // plan.groups, inputs, x.shape[1], out.shape[1]),
            *(out[0, 0].numel(), x[0, 0].numel(), plan.stride[0], plan.padding[0], kh, kw),
            *(inputs * kh * kw, kh * kw, kw, 1),
        )
        ctx.save_for_backward(x, weight.contiguous(), taps)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, taps = ctx.saved_tensors
        (sh, sw), (ph, pw), groups = ctx.plan
        slopes = slopes.contiguous()
        outputs, (_, inputs, kh, kw) = weight.shape[0] // groups, weight.shape
        _, height, width, batch = slopes.shape
        own_x, own_weight = None, torch.empty_like(weight)
        _call(
            _kernels().weight_gradient(_weight_tile(outputs, kw), kw, _BITS[x.dtype]),
            *(own_weight, slopes, x, taps, groups, outputs, inputs, x.shape[1], height),
            *(width * batch, x[0, 0].numel(), width * batch, sh, ph, kh),
        )
        if ctx.needs_input_grad[0]:
            # The slopes, as far apart as the stride has them, between as many zeros as the kernel
            # reaches into; then their convolution with the weights turned round.
            own_x = x.new_empty(*x.shape[:2], ctx.width, batch)
            left, columns = kw - 1 - pw, ctx.width + kw - 1
            apart = x.new_zeros(slopes.shape[0], (height - 1) * sh + 1, columns, batch)
            apart[:, ::sh, left : left + (width - 1) * sw + 1 : sw] = slopes
            _call(
                _kernels().convolve(_kernels().block_of(inputs), _BITS[x.dtype]),
                *(own_x, apart, weight.flatten()[kh * kw - 1 :], x.new_zeros(x.shape[0])),
                *(_taps(kw, 1, columns, batch), groups, inputs, outputs, apart.shape[1]),
                *(own_x.shape[1], own_x[0, 0].numel(), apart[0, 0].numel(), 1, kh - 1 - ph),
                *(kh, kw, kh * kw, inputs * kh * kw, -kw, -1),
            )
        own_bias = slopes.flatten(1).sum(1) if ctx.with_bias else None
        return own_x, own_weight, own_bias, None


class _PooledConvolution(torch.autograd.Function):
    """The same with a stride of 1, then the maximum over windows → [G·O, Ho // ph, Wo // pw, B]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        plan: _Plan,
        pool: tuple[int, int],
        rectify: bool,
    ) -> Tensor:
        height, width = _image(x, weight, plan)
        ctx.plan, ctx.pool, ctx.columns, ctx.width = plan, pool, x.shape[2], width
        ctx.with_bias = bias is not None
        x, taps = _columns(x, weight.shape[3], 1, plan.padding[1])
        weight, batch = weight.contiguous(), x.shape[3]
        outputs = weight.shape[0] // plan.groups
        out = x.new_empty(weight.shape[0], height // pool[0], width // pool[1], batch)
        place = out.new_empty(out.shape, dtype=torch.uint8)
        tile = _kernels().block_of(outputs)
        _call(
            _kernels().convolve_and_pool(tile, pool, rectify, _BITS[x.dtype]),
            *(out, place, x.new_empty(outputs, height, width, batch), x),
            *(weight, _bias(bias, weight), taps, plan.groups, outputs, weight.shape[1]),
            *(x.shape[1], height, width, batch, x[0, 0].numel(), plan.padding[0]),
            *weight.shape[2:],
        )
        ctx.save_for_backward(x, weight, taps, place)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, taps, place = ctx.saved_tensors
        _, (ph, pw), groups = ctx.plan
        outputs, (_, inputs, kh, kw) = weight.shape[0] // groups, weight.shape
        height, batch = x.shape[1] + 2 * ph - kh + 1, x.shape[3]
        own_weight, own_bias = torch.empty_like(weight), weight.new_empty(weight.shape[0])
        own_x, left, columns = x, 0, ctx.width
        if ctx.needs_input_grad[0]:
            own_x = x.new_empty(*x.shape[:2], ctx.columns, batch)
            left, columns = kw - 1 - pw, ctx.columns + kw - 1
        input_tile = _kernels().block_of(inputs) if ctx.needs_input_grad[0] else 0
        gradients = _kernels().gradients_through_pool(
            _weight_tile(outputs, kw), input_tile, kw, ctx.pool, _BITS[x.dtype]
        )
        _call(
            gradients,
            *(own_weight, own_x, own_bias, slopes.contiguous(), place),
            *(x.new_zeros(outputs, height, columns, batch), x, weight, taps),
            *(x.new_zeros(inputs), _taps(kw, 1, columns, batch), groups, outputs, inputs),
            *(x.shape[1], own_x.shape[2], height, ctx.width, batch, x[0, 0].numel()),
            *(columns * batch, left * batch, ph, kh),
        )
        own_bias = own_bias if ctx.with_bias else None
        return own_x if ctx.needs_input_grad[0] else None, own_weight, own_bias, None, None, None


def _image(x: Tensor, weight: Tensor, plan: _Plan) -> tuple[int, int]:
    """Height and width of a convolution's output."""
    height, width = (
        (x.shape[1 + d] + 2 * plan.padding[d] - weight.shape[2 + d]) // plan.stride[d] + 1
        for d in (0, 1)
    )
    return height, width


def _bias(bias: Tensor | None, weight: Tensor) -> Tensor:
    return weight.new_zeros(weight.shape[0]) if bias is None else bias.contiguous()


def _weight_tile(outputs: int, kw: int) -> int:
    tile: int = _kernels().block_of(outputs, max(1, _kernels().widest_kernel() // kw))
    return tile


def _windows(planes: Tensor, pooled: Tensor) -> tuple[int, ...]:
    """The integers that the pooling kernels take."""
    return planes.shape[0], planes[0].numel(), planes[0, 0].numel(), *pooled.shape[1:]


class _MaxPool(torch.autograd.Function):
    """Planes [M, H, W, B] → planes [M, H // kh, W // kw, B]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int]) -> Tensor:
        m, height, width, batch = x.shape
        out = x.new_empty(m, height // size[0], width // size[1], batch)
        place = out.new_empty(out.shape, dtype=torch.uint8)
        pool = _kernels().pool(size, _BITS[x.dtype])
        _call(pool, out, place, x, *_windows(x, out))
        ctx.save_for_backward(place)
        ctx.size, ctx.shape = size, x.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        (place,), slopes = ctx.saved_tensors, slopes.contiguous()
        covered = ctx.shape[1] % ctx.size[0] == 0 and ctx.shape[2] % ctx.size[1] == 0
        own = (slopes.new_empty if covered else slopes.new_zeros)(ctx.shape)
        gradient = _kernels().pool_gradient(ctx.size, _BITS[slopes.dtype])
        _call(gradient, own, slopes, place, slopes.new_empty(own.shape[0]), *_windows(own, slopes))
        return own, None


class _BatchNorm(torch.autograd.Function):
    """Planes [M, H, W, B] → the same, normalised, with mean and biased variance [M]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        out = torch.empty_like(x)
        mean, variance, inverse = x.new_empty(3, x.shape[0])
        _call(
            _kernels().normalize(_BITS[x.dtype]),
            *(out, mean, variance, inverse, x, weight.contiguous(), bias.contiguous()),
            *(x.new_tensor([eps]), x.shape[0], x[0].numel()),
        )
        ctx.save_for_backward(x, weight.contiguous(), mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        own_x, own_weight, own_bias = (torch.empty_like(value) for value in (x, weight, weight))
        _call(
            _kernels().normalize_gradient(_BITS[x.dtype]),
            *(own_x, own_weight, own_bias, slopes.contiguous(), x, mean, inverse, weight),
            *(x.shape[0], x[0].numel()),
        )
        return own_x, own_weight, own_bias, None


def _call(kernel: Callable[..., None], *arguments: Tensor | int) -> None:
    """Call a kernel on the memory of tensors, and integers: these come last."""
    count = next(n for n, one in enumerate(arguments) if type(one) is int)
    kernel(*[one.data_ptr() for one in arguments[:count]], *arguments[count:])  # type: ignore[union-attr]


def _columns(x: Tensor, kw: int, stride: int, padding: int) -> tuple[Tensor, Tensor]:
    """The rows of planes, padded; with a stride, columns of one remainder lie side by side.

    Returns [M, H, row…, B] and the offset of each column of the kernel in such a row.
    """
    fill = -(x.shape[2] + 2 * padding) % stride
    if padding or fill:
        x = F.pad(x, (0, 0, padding, padding + fill))
    if stride > 1:
        x = x.unflatten(2, (-1, stride)).transpose(2, 3).flatten(2, 3)
    return x, _taps(kw, stride, x.shape[2], x.shape[3])


@lru_cache(maxsize=64)
def _taps(kw: int, stride: int, width: int, batch: int) -> Tensor:
    per_remainder = width // stride
    with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
        return torch.tensor([(j % stride * per_remainder + j // stride) * batch for j in range(kw)])
