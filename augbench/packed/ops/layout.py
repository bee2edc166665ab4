"""Batch-last maps in memory, and the calls of kernels on them.

A map [B, M, H, W] of 2 images, 1 channel and 1×3 pixels a b c:

    torch's own layout    a0 b0 c0 a1 b1 c1     strides (3, 3, 3, 1)
    batch last            a0 a1 b0 b1 c0 c1     strides (1, 6, 6, 2)

Both are the same tensor to torch. `batch_last` gives the second as a contiguous [M, H, W, B], which
is what kernels take; `map_of` turns it back. Neither copies where the memory is right already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from augbench.packed.tape import note_kernel

if TYPE_CHECKING:
    from augbench.packed.codegen.signature import Kernel, Pointer

__all__ = [
    "BITS",
    "batch_last",
    "call",
    "channels_last",
    "in_preferred_layout",
    "kernels",
    "kernels_serve",
    "map_of",
    "matches",
    "new_map",
    "prefers_batch_last",
    "side_by_side",
]

BITS = {torch.float32: 32, torch.float64: 64}
"""The types of number that the kernels know, and how wide they are."""

_DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "int64": torch.int64,
    "uint8": torch.uint8,
}


@lru_cache(maxsize=1)
def kernels() -> Any:
    """The room of the kernels, or None where they cannot be had."""
    try:
        from augbench.packed import codegen as kernels

        kernels.machine()
    except (ImportError, RuntimeError):  # no llvmlite, or a processor that it does not know
        return None
    return kernels


def kernels_serve(x: Tensor) -> bool:
    """True if the kernels can work on such numbers, on this processor."""
    return x.device.type == "cpu" and x.dtype in BITS and kernels() is not None


def prefers_batch_last(x: Tensor) -> bool:
    """True if such maps are best held batch-last: by the kernels, and on a GPU."""
    return x.device.type != "cpu" or kernels_serve(x)


def matches(value: Tensor, x: Tensor, length: int) -> bool:
    """True if a value has the type, device and length that a kernel expects beside x.

    Where it has not, torch serves, and says what is wrong.
    """
    return value.dtype == x.dtype and value.device == x.device and len(value) == length


def call(kernel: Kernel, **arguments: Tensor | int | None) -> None:
    """Call a kernel on the memory of tensors, and on integers, each by its name.

    An argument of None is one that is not given. This is the one place where anything is checked:
    machine code reads whatever lies at an address. Raises `TypeError` for an argument that is
    missing, unknown or of another type (a tensor's of number included), and `ValueError` for memory
    that the kernel would read amiss: of another device, or not contiguous.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    signature = kernel.signature
    if len(given) != len(signature.names):
        raise _other_names(signature.names, given)
    numbers, tensors = [], []
    for pointer in signature.pointers:
        tensor = given.get(pointer.name)
        if (
            not isinstance(tensor, Tensor)
            or tensor.dtype is not _DTYPES[pointer.dtype]
            or not tensor.is_cpu
            or not (_dense_at_last(tensor) if pointer.strided else tensor.is_contiguous())
        ):
            raise _unfit(pointer, signature.names, given)
        tensors.append(tensor)
        numbers.append(tensor.data_ptr())
    for name in signature.integers:
        value = given.get(name)
        if type(value) is not int:
            if name not in given:
                raise _other_names(signature.names, given)
            raise TypeError(f"{name} has to be an int, not {type(value).__name__}")
        numbers.append(value)
    kernel.run(*numbers)
    # A tape repeats the call with these very numbers: checked once, at no cost in a replay.
    note_kernel(kernel.run, numbers, *tensors)


def _dense_at_last(x: Tensor) -> bool:
    """True if the numbers of the last dimension lie side by side."""
    return x.stride(-1) == 1 or x.shape[-1] == 1


def _other_names(names: Sequence[str], given: Mapping[str, Any]) -> TypeError:
    """The error for arguments that are missing or unknown."""
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    parts = [
        f"{what}: {', '.join(some)}"
        for what, some in (("missing", missing), ("unknown", unknown))
        if some
    ]
    return TypeError(f"arguments of a kernel: {'; '.join(parts)}")


def _unfit(pointer: Pointer, names: Sequence[str], given: Mapping[str, Any]) -> Exception:
    """The error for a tensor whose memory a kernel cannot take."""
    name, value = pointer.name, given.get(pointer.name)
    if name not in given:
        return _other_names(names, given)
    if not isinstance(value, Tensor):
        return TypeError(f"{name} has to be a tensor, not {type(value).__name__}")
    if value.dtype is not _DTYPES[pointer.dtype]:
        got = str(value.dtype).removeprefix("torch.")
        return TypeError(f"{name} has to be of {pointer.dtype}, not {got}")
    if not value.is_cpu:
        return ValueError(f"{name} has to be on the CPU, not on {value.device}")
    shape, strides = tuple(value.shape), value.stride()
    where = " in its last dimension" if pointer.strided else ""
    return ValueError(
        f"{name} has to be contiguous{where}, but its shape {shape} has strides {strides}"
    )


def batch_last(x: Tensor) -> Tensor:
    """A map [B, M, H, W] as a contiguous [M, H, W, B]: no copy if it is a batch-last map."""
    return x.permute(1, 2, 3, 0).contiguous()


def map_of(planes: Tensor) -> Tensor:
    """Planes [M, H, W, B] as the map [B, M, H, W] that they are."""
    return planes.permute(3, 0, 1, 2)


def new_map(x: Tensor, *planes: int) -> Tensor:
    """A new batch-last map of shape [M, H, W, B]: no view, so that it may change in place."""
    maps, height, width, batch = planes
    strides = 1, height * width * batch, width * batch, batch
    return x.new_empty_strided((batch, maps, height, width), strides)


def in_preferred_layout(images: Tensor) -> Tensor:
    """Images [B, M, H, W] in the memory layout that the layers of a packed network like best."""
    return map_of(batch_last(images)) if prefers_batch_last(images) else channels_last(images)


def channels_last(images: Tensor) -> Tensor:
    """The images in channels_last memory, also where one channel leaves the strides open."""
    _, channels, height, width = images.shape
    if channels == 1:
        # The strides of a single channel fit both layouts; torch takes them for its usual one.
        return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))
    return images.contiguous(memory_format=torch.channels_last)


def side_by_side(images: Sequence[Tensor], batch: int) -> Tensor:
    """K times [S·B, C, H, W] → S batches [S, B, K·C, H, W], batch-last or channels_last."""
    one = images[0]
    steps, size = len(one) // batch, one[0].numel()
    if not kernels_serve(one):
        wide = torch.stack(list(images)).view(-1, steps, batch, *one.shape[1:])
        # [K, S, B, C, H, W]
        if prefers_batch_last(one):
            planes = wide.permute(1, 0, 3, 4, 5, 2).contiguous()  # [S, K, C, H, W, B]
            return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)
        wide = wide.permute(1, 2, 4, 5, 0, 3).flatten(4)  # [S, B, H, W, K·C]
        return wide.permute(0, 1, 4, 2, 3)
    planes = one.new_empty(steps, len(images), *one.shape[1:], batch)  # [S, K, C, H, W, B]
    for k, image in enumerate(image.contiguous() for image in images):
        if batch % kernels().SQUARE:  # the kernel turns squares of images and pixels in registers
            planes[:, k] = image.unflatten(0, (steps, batch)).permute(0, 2, 3, 4, 1)
        else:
            call(
                kernels().transpose(BITS[one.dtype]),
                out=planes[:, k],
                source=image,
                count=steps,
                step=planes.stride(0),
                batch=batch,
                size=size,
            )
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)
