"""Layers that a network has in a row as one: fewer passes over its largest values.

Convolution, maximum pooling and rectifier become one layer, and what lies between them never
leaves the cache. Of the pooling and the rectifier, either may come first: the maximum of rectified
values is the rectified maximum, and so are their gradients. A dropout of whole channels in between
comes after them instead: its factors are not negative, so that the maximum, and which one it is,
stay the same. In training, a batch normalisation takes what follows it, the sum with another map
and a rectifier; in use, its factors go into the weights of the convolution before it, which takes
the sum too. In training, a convolution hands its input on to what looks at it later, so that it
makes the sum of their gradients.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from augbench.packed.rules.convolutions import WideConv2d
from augbench.packed.rules.layers import WideDropout, WideMaxPool2d
from augbench.packed.rules.normalizations import WideBatchNorm2d
from augbench.packed.rules.other_functions import rule_of
from augbench.packed.values import is_map

__all__ = ["PARTS", "fuse"]

_RECTIFIERS = {torch.relu, F.relu, "relu", "relu_"}
_SUMS = {operator.add, torch.add, "add"}
_SUMS_IN_PLACE = {operator.iadd, "add_"}
_sum = rule_of(operator.add)


class _Convolution(nn.Module):
    """A convolution, and what follows.

    That is a normalisation in use, a pooling or, in use, a sum with another map, a rectifier.
    """

    def __init__(
        self,
        conv: WideConv2d,
        norm: WideBatchNorm2d | None,
        pool: WideMaxPool2d | None,
        rectify: bool,
        *,
        add: bool = False,
    ) -> None:
        super().__init__()
        self.conv, self.norm, self.pool, self.add = conv, norm, pool, add
        self.rectify, self.takes_shared = rectify, conv.takes_shared

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """[B, K·C, H, W], or [B, C, H, W] shared by the cells → [B, K·C', H', W']."""
        weight, bias = self.conv.weight, self.conv.bias
        if self.norm is not None:
            factor, shift = self.norm.in_use()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = shift if bias is None else bias * factor + shift
        windows = self.pool.windows if self.pool is not None else None
        y = None
        if other is None or (is_map(other) and not torch.is_grad_enabled()):
            y = self.conv.map_of(
                *(x, weight, bias), pool=windows, shortcut=other, rectify=self.rectify
            )
        if y is None:
            y = self.conv(x)
            y = y if self.norm is None else self.norm(y)
            y = y if self.pool is None else self.pool(y)
            y = y if other is None else _sum(self.conv.cells, y, other)
            y = F.relu(y) if self.rectify else y
        return y

    def __str__(self) -> str:
        parts: dict[str, object] = {"normalised": self.norm, "pooled": self.pool}
        parts |= {"added": self.add, "rectified": self.rectify}
        return " and ".join(name for name, part in parts.items() if part)


class _Norm(nn.Module):
    """A batch normalisation in training, and what follows: a sum with another map, a rectifier."""

    def __init__(self, norm: WideBatchNorm2d, rectify: bool, *, add: bool = False) -> None:
        super().__init__()
        self.norm, self.add, self.rectify = norm, add, rectify

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """[B, K·C, H, W], twice if they are to be added → the same."""
        y = None
        if other is None or is_map(other):
            y = self.norm.map_of(x, shortcut=other, rectify=self.rectify)
        if y is None:
            y = self.norm(x)
            y = y if other is None else _sum(self.norm.cells, y, other)
            y = F.relu(y) if self.rectify else y
        return y

    def __str__(self) -> str:
        parts = {"added": self.add, "rectified": self.rectify}
        return " and ".join(name for name, part in parts.items() if part)


class _Passing(nn.Module):
    """A convolution of a map at which something else looks later: gives both."""

    def __init__(self, conv: WideConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, K·C, H, W] → [B, K·C', H', W'] and [B, K·C, H, W]."""
        return self.conv.and_pass(x)

    def __str__(self) -> str:
        return "passing"


def _first(pair: tuple[Tensor, Tensor]) -> Tensor:
    return pair[0]


def _second(pair: tuple[Tensor, Tensor]) -> Tensor:
    return pair[1]


PARTS = frozenset({_first, _second})
"""The functions that fusing puts into a graph."""


def fuse(graph: fx.Graph, layers: Mapping[str, nn.Module], training: bool) -> dict[str, nn.Module]:
    """Fuse what can be in a graph of wide layers; returns the new layers by their targets."""
    made: dict[str, nn.Module] = {}
    taken: set[fx.Node] = set()

    def layer(node: fx.Node) -> nn.Module | None:
        return layers.get(str(node.target)) if node.op == "call_module" else None

    def following(node: fx.Node) -> fx.Node | None:
        """What alone uses a node's value, dropouts of channels apart."""
        while len(node.users) == 1:
            (node,) = node.users
            if not (isinstance(own := layer(node), WideDropout) and own.masks.by_channel):
                return node
        return None

    def take(node: fx.Node) -> None:
        (before,) = node.all_input_nodes
        node.replace_all_uses_with(before)
        graph.erase_node(node)
        taken.add(node)

    def is_rectifier(node: fx.Node) -> bool:
        return isinstance(layer(node), nn.ReLU) or (
            node.op != "call_module" and node.target in _RECTIFIERS
        )

    def convolution(node: fx.Node, conv: WideConv2d) -> tuple[fx.Node, nn.Module | None]:
        norm, pool, rectify = None, None, False
        while (after := following(node)) is not None:
            own = layer(after)
            if is_rectifier(after) and not rectify:
                rectify = True
            elif isinstance(own, WideMaxPool2d) and own.windows is not None and pool is None:
                pool = own
            elif (
                isinstance(own, WideBatchNorm2d)
                and own.track_running_stats
                and not (training or norm or pool or rectify)
            ):
                norm = own
            else:
                break
            take(after)
        both = summed(node) if norm and not (pool or rectify) else None
        if both is not None:
            return both, _Convolution(conv, norm, None, into_sum(node, both), add=True)
        fused = norm or pool or rectify
        return node, _Convolution(conv, norm, pool, rectify) if fused else None

    def normalization(node: fx.Node, norm: WideBatchNorm2d) -> tuple[fx.Node, nn.Module | None]:
        both = summed(node)
        if both is not None:
            return both, _Norm(norm, into_sum(node, both), add=True)
        return node, _Norm(norm, rectify=True) if rectified(node) else None

    def into_sum(node: fx.Node, both: fx.Node) -> bool:
        """Put a layer into the place of the sum that follows; whether a rectifier comes with it."""
        # That place, since the other summand may come later than the layer.
        (x,), (other,) = node.all_input_nodes, (one for one in both.args if one is not node)
        both.op, both.target, both.args = "call_module", node.target, (x, other)
        graph.erase_node(node)
        taken.add(both)
        return rectified(both)

    def rectified(node: fx.Node) -> bool:
        after = following(node)
        if after is None or not is_rectifier(after):
            return False
        take(after)
        return True

    def summed(node: fx.Node) -> fx.Node | None:
        """The sum with another map that alone uses a layer's value."""
        (x,) = node.all_input_nodes
        if len(node.users) != 1 or len(x.users) != 1:
            return None
        (both,) = node.users
        in_place = both.target in _SUMS_IN_PLACE
        if both.op == "call_module" or not (in_place or both.target in _SUMS) or both.kwargs:
            return None
        # Two maps; what changes in place has to be the normalisation's own.
        others = [one for one in both.args if isinstance(one, fx.Node) and one is not node]
        fits = len(both.args) == 2 and len(others) == 1
        return both if fits and not (in_place and both.args[0] is not node) else None

    def later_look(node: fx.Node) -> fx.Node | None:
        """What else looks at a layer's input, if it is one thing, and later."""
        inputs = node.all_input_nodes
        if len(inputs) != 1 or inputs[0].op == "placeholder" or len(inputs[0].users) != 2:
            return None
        (other,) = (user for user in inputs[0].users if user is not node)
        return other if node < other and other.op != "output" else None

    for node in list(graph.nodes):
        own, new = layer(node) if node not in taken else None, None
        if isinstance(own, WideConv2d):
            node, new = convolution(node, own)
        elif isinstance(own, WideBatchNorm2d) and training:
            node, new = normalization(node, own)
        if new is not None:
            name = f"fused/{len(made)}/{node.target}"
            made[name], node.target = new, name
    for node in list(graph.nodes) if training else ():
        own, other = layer(node), later_look(node)
        if isinstance(own, WideConv2d) and other is not None:
            name, users = f"fused/{len(made)}/{node.target}", list(node.users)
            made[name], node.target = _Passing(own), name
            with graph.inserting_after(node):
                second = graph.call_function(_second, (node,))
                first = graph.call_function(_first, (node,))
            other.replace_input_with(node.all_input_nodes[0], second)
            for user in users:
                user.replace_input_with(node, first)
    return made
