"""Convolution as batched matrix products, from torch's own operators: how a GPU likes it.

The windows that a kernel sees are laid out as columns (im2col: Chellapilla, Puri & Simard 2006), so
that the K cells' convolutions become one batched product. cuDNN's grouped convolutions, the other
way to say so, take two to three times as long with hundreds of groups of few channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from augbench.packed.ops import batch_last, map_of

__all__ = ["convolve"]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """`torch.nn.functional.conv2d` of a map [B, G·C, H, W], in planes: → [B, G·O, H', W']."""
    maps, (rows, columns) = batch_last(x), weight.shape[2:]
    if any(padding):
        maps = F.pad(maps, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    windows = _slid(maps, 1, rows, stride[0], dilation[0])  # [G·C, H', W, B, kh]
    windows = _slid(windows, 2, columns, stride[1], dilation[1])  # [G·C, H', W', B, kh, kw]
    seen = windows.permute(0, 4, 5, 1, 2, 3).reshape(groups, weight[0].numel(), -1)
    of_group = weight.view(groups, -1, seen.shape[1])  # [G, O, C·kh·kw]
    if bias is None:
        y = torch.bmm(of_group, seen)  # [G, O, H'·W'·B]
    else:
        y = torch.baddbmm(bias.view(groups, -1, 1), of_group, seen)
    return map_of(y.view(len(weight), *windows.shape[1:4]))


def _slid(x: Tensor, dim: int, size: int, stride: int, dilation: int) -> Tensor:
    """A view of x in which windows along a dimension have a dimension of their own, the last."""
    return x.unfold(dim, dilation * (size - 1) + 1, stride)[..., ::dilation]
