"""Packing rules: how one layer, or one function, serves many cells at once.

Activations of K cells travel together as *maps* [B, K·C, H, W] or as *vectors* [B, K, D]; every
value keeps the cells in order. How they lie in memory is no rule's concern: `planes/` tells what
is fastest. A rule says what becomes of a layer:

```python
from augbench.packed.rules.registry import rule

@rule(MyScale)                    # a layer with a parameter `scale` [C]
def wide_scale(layers):
    return WideScale(layers)      # whose `scale` is [K·C]: the cells' parameters, stacked
```

Parameters and buffers keep the layer's own names, stacked along their first dimension, so that
cell k's are the k-th of K equal slices. `function_rule` does the same for what a `forward` calls
by itself (`x + y`, `torch.flatten(x, 1)`, `x.mean((2, 3))`): its rule takes K before the
function's own arguments. What has no rule is not packed by rules; every packing is probed against
the plain modules before it is used, so that a wrong rule costs speed, never numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

__all__ = [
    "FUNCTION_RULES",
    "LAYER_RULES",
    "UnpackableError",
    "function_rule",
    "rule",
    "stack_into",
]

LayerRule = Callable[[Sequence[Any]], nn.Module]
FunctionRule = Callable[..., Any]

LAYER_RULES: dict[type[nn.Module], LayerRule] = {}
FUNCTION_RULES: dict[object, FunctionRule] = {}

_R = TypeVar("_R", bound=Callable[..., Any])
_M = TypeVar("_M", bound=nn.Module)


class UnpackableError(Exception):
    """A backbone, or a part of it, that no rule can pack; its text is the reason."""


def rule(*layers: type[nn.Module]) -> Callable[[_R], _R]:
    """Register a function from the K cells' layers to the one layer that serves them all."""

    def register(function: _R) -> _R:
        LAYER_RULES.update(dict.fromkeys(layers, function))
        return function

    return register


def function_rule(*functions: object) -> Callable[[_R], _R]:
    """Register how functions, or tensor methods by name, act on values of K cells."""

    def register(wide: _R) -> _R:
        FUNCTION_RULES.update(dict.fromkeys(functions, wide))
        return wide

    return register


def stack_into(wide: _M, layers: Sequence[nn.Module]) -> _M:
    """Fill a wide layer: each parameter and buffer holds the cells' own, one after the other."""
    values = [*layers[0].parameters(), *layers[0].buffers()]
    floats = [value for value in values if value.is_floating_point()]
    if floats:
        wide.to(floats[0].device, floats[0].dtype)
    with torch.no_grad():
        for name, target in [*wide.named_parameters(), *wide.named_buffers()]:
            own = [getattr(layer, name) for layer in layers]
            if target.ndim:
                target.copy_(torch.cat([value.flatten() for value in own]).view_as(target))
            else:
                target.copy_(own[0])  # a counter, such as `num_batches_tracked`
            target.requires_grad_(own[0].requires_grad)
    return wide
