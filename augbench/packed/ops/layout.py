"""How maps lie in memory, and whether kernels can work on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from augbench.packed.replay import note_kernel

__all__ = [
    "BITS",
    "alike",
    "call",
    "channels_last",
    "in_planes",
    "kernels",
    "laid_out",
    "new_map",
    "planes_of",
    "preferred",
    "side_by_side",
    "usable",
]

BITS = {torch.float32: 32, torch.float64: 64}
"""The types of number that the kernels know, and how wide they are."""


@lru_cache(maxsize=1)
def kernels() -> Any:
    """The room of the kernels, or None where they cannot be had."""
    try:
        from augbench.packed import codegen as kernels

        kernels.machine()
    except (ImportError, RuntimeError):  # no llvmlite, or a processor that it does not know
        return None
    return kernels


def usable(x: Tensor) -> bool:
    """Whether the kernels can work on such numbers, here."""
    return x.device.type == "cpu" and x.dtype in BITS and kernels() is not None


def preferred(x: Tensor) -> bool:
    """Whether such maps are best held in planes: by the kernels, and by a GPU."""
    return x.device.type != "cpu" or usable(x)


def alike(value: Tensor, x: Tensor, length: int) -> bool:
    """Whether a kernel may read so many such numbers; where not, torch says what is wrong."""
    return value.dtype == x.dtype and value.device == x.device and len(value) == length


def call(kernel: Callable[..., None], *arguments: Tensor | int) -> None:
    """Call a kernel on the memory of tensors, and integers: these come last."""
    count = next(n for n, one in enumerate(arguments) if type(one) is int)
    addresses = [one.data_ptr() for one in arguments[:count]]  # type: ignore[union-attr]
    numbers = (*addresses, *arguments[count:])
    kernel(*numbers)
    note_kernel(kernel, numbers, *arguments[:count])  # type: ignore[arg-type]


def planes_of(x: Tensor) -> Tensor:
    """A map [B, M, H, W] as [M, H, W, B], contiguous: without a copy if it is in planes."""
    return x.permute(1, 2, 3, 0).contiguous()


def in_planes(planes: Tensor) -> Tensor:
    """Planes [M, H, W, B] as the map [B, M, H, W] that they are."""
    return planes.permute(3, 0, 1, 2)


def new_map(x: Tensor, *planes: int) -> Tensor:
    """A new map, of planes [M, H, W, B]: not a view, so that it may be changed in place."""
    maps, height, width, batch = planes
    strides = 1, height * width * batch, width * batch, batch
    return x.new_empty_strided((batch, maps, height, width), strides)


def laid_out(images: Tensor) -> Tensor:
    """Images [B, M, H, W] in the memory layout that the layers of a packed network like best."""
    return in_planes(planes_of(images)) if preferred(images) else channels_last(images)


def channels_last(images: Tensor) -> Tensor:
    """The images in channels_last memory, also where one channel leaves the strides open."""
    _, channels, height, width = images.shape
    if channels == 1:
        return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))
    return images.contiguous(memory_format=torch.channels_last)


def side_by_side(images: Sequence[Tensor], batch: int) -> Tensor:
    """K times [S·B, C, H, W] → S batches [S, B, K·C, H, W], in planes or in channels_last."""
    one = images[0]
    steps, size = len(one) // batch, one[0].numel()
    if not usable(one):
        wide = torch.stack(list(images)).view(-1, steps, batch, *one.shape[1:])
        # [K, S, B, C, H, W]
        if preferred(one):
            planes = wide.permute(1, 0, 3, 4, 5, 2).contiguous()  # [S, K, C, H, W, B]
            return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)
        wide = wide.permute(1, 2, 4, 5, 0, 3).flatten(4)  # [S, B, H, W, K·C]
        return wide.permute(0, 1, 4, 2, 3)
    planes = one.new_empty(steps, len(images), *one.shape[1:], batch)  # [S, K, C, H, W, B]
    for k, image in enumerate(image.contiguous() for image in images):
        if batch % kernels().SQUARE:
            planes[:, k] = image.unflatten(0, (steps, batch)).permute(0, 2, 3, 4, 1)
        else:
            addresses = planes[:, k].data_ptr(), image.data_ptr()
            kernels().transpose(BITS[one.dtype])(*addresses, steps, planes.stride(0), batch, size)
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)
