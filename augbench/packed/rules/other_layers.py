"""Layers of torch's without a packing rule of their own: done to each cell's value."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from augbench.packed.dropout import StreamDropout
from augbench.packed.rules.registry import UnpackableError
from augbench.packed.values import DRAWS, PerCell, each_cell

__all__ = ["each_layer"]


class EachLayer(nn.Module):
    """K layers of torch's that have no rule, under `vmap`: see `values.each_cell`."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        one = copy.deepcopy(layers[0])
        self._one, self.cells = (one,), len(layers)  # in a tuple: its parameters are no one's
        for name, _ in one.named_parameters():
            *path, leaf = name.split(".")
            holder: nn.Module = self
            for part in path:
                if part not in holder._modules:
                    holder.add_module(part, nn.Module())
                holder = holder.get_submodule(part)
            own = [layer.get_parameter(name) for layer in layers]
            stacked = torch.stack([value.detach() for value in own])
            holder.register_parameter(leaf, nn.Parameter(stacked, own[0].requires_grad))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Apply each cell's layer to its values."""
        (one,) = self._one
        one.train(self.training)
        parameters = {name: PerCell(value) for name, value in self.named_parameters()}

        def layer(parameters: dict[str, Tensor], *args: Any, **kwargs: Any) -> Any:
            return functional_call(one, parameters, args, kwargs)

        layer.__name__ = type(one).__name__
        with sdpa_kernel(SDPBackend.MATH):  # within nn.MultiheadAttention: see `glue.attention`
            return each_cell(self.cells, layer, parameters, *args, **kwargs)


def each_layer(layers: Sequence[nn.Module]) -> nn.Module:
    """A layer of torch's without a rule of its own.

    Raises `UnpackableError` for one that is not torch's, or that keeps more than parameters.
    """
    one = layers[0]
    if isinstance(one, nn.RReLU):
        raise UnpackableError(DRAWS.format(what="RReLU"))
    for module in one.modules():
        kind = type(module)
        if isinstance(module, StreamDropout) or not kind.__module__.startswith("torch.nn."):
            raise UnpackableError(f"no packing rule for the layer {type(one).__name__}")
    if list(one.buffers()):
        raise UnpackableError(
            f"no packing rule for the layer {type(one).__name__}, which keeps buffers"
        )
    return EachLayer(layers)
