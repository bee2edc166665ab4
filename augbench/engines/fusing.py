"""Convolution, maximum pooling and rectifier as one layer, where a network has them in a row.

The values between them, the largest of a network, then never leave the cache. A dropout of whole
channels in between comes after them instead: its factors are not negative, so that the maximum,
and which one it is, stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from augbench.engines.layers import WideConv2d, WideDropout, WideMaxPool2d

__all__ = ["fuse"]

_RECTIFIERS = {torch.relu, F.relu, "relu", "relu_"}


class _Fused(nn.Module):
    """A convolution whose output is pooled and, if `rectify`, rectified."""

    def __init__(self, conv: WideConv2d, pool: WideMaxPool2d, rectify: bool) -> None:
        super().__init__()
        self.conv, self.pool, self.rectify = conv, pool, rectify
        self.windows = pool.windows
        self.takes_shared = conv.takes_shared

    def forward(self, x: Tensor) -> Tensor:
        """[B, K·C, H, W], or [B, C, H, W] shared by the cells → [B, K·C', H', W']."""
        y = self.conv.in_planes(x, pool=self.windows, rectify=self.rectify)
        if y is None:
            y = self.pool(self.conv(x))
            y = F.relu(y) if self.rectify else y
        return y


def fuse(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Fuse what can be in a graph of wide layers; returns the new layers by their targets."""
    made: dict[str, nn.Module] = {}

    def layer(node: fx.Node | None) -> nn.Module | None:
        return layers[str(node.target)] if node is not None and node.op == "call_module" else None

    for node in list(graph.nodes):
        conv = layer(node)
        if not isinstance(conv, WideConv2d):
            continue
        pooled = _only_user(node)
        while isinstance(own := layer(pooled), WideDropout) and own.masks.by_channel:
            pooled = _only_user(pooled)
        pool = layer(pooled)
        if pooled is None or not isinstance(pool, WideMaxPool2d) or pool.windows is None:
            continue
        rectified = _only_user(pooled)
        rectify = rectified is not None and (
            isinstance(layer(rectified), nn.ReLU)
            or (rectified.op != "call_module" and rectified.target in _RECTIFIERS)
        )
        (before,) = pooled.all_input_nodes
        if rectify and rectified is not None:
            rectified.replace_all_uses_with(before)
            graph.erase_node(rectified)
        else:
            pooled.replace_all_uses_with(before)
        graph.erase_node(pooled)
        name = f"fused/{len(made)}/{node.target}"
        made[name] = _Fused(conv, pool, rectify)
        node.target = name
    return made


def _only_user(node: fx.Node | None) -> fx.Node | None:
    users = list(node.users) if node is not None else []
    return users[0] if len(users) == 1 else None
