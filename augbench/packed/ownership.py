"""Ownership of parameters: layers that share one, and forwards that use one by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augbench.packed.rules.registry import UnpackableError
from augbench.packed.values import PerCell, packed

__all__ = ["Own", "primary_names", "tie"]


def primary_names(backbone: nn.Module) -> dict[str, str]:
    """The name in `named_parameters`, or in `named_buffers`, of each by any of its names."""
    first: dict[int, str] = {}
    values = [
        *backbone.named_parameters(remove_duplicate=False),
        *backbone.named_buffers(remove_duplicate=False),
    ]
    return {name: first.setdefault(id(value), name) for name, value in values}


def tie(layers: Mapping[str, nn.Module], backbone: nn.Module) -> dict[str, Tensor]:
    """Let wide layers share what the backbone's own layers share; returns it by primary names.

    So the gradients of all uses are summed, as in the backbone itself. Raises `UnpackableError`
    where two kinds of layers keep a shared parameter in forms that do not fit each other.
    """
    primary, found, kept_by = primary_names(backbone), dict[str, Tensor](), dict[str, str]()
    for target, layer in layers.items():
        for path, holder in layer.named_modules():
            for values in (holder._parameters, holder._buffers):
                for leaf, value in values.items():
                    if value is None:
                        continue
                    # Wide layers go by "block/conv", since a module's name may hold no dot.
                    full = ".".join(filter(None, (target.replace("/", "."), path, leaf)))
                    name = primary.get(full, full)
                    if name not in found:
                        found[name], kept_by[name] = value, full
                    elif found[name].shape == value.shape:
                        values[leaf] = found[name]
                    else:
                        raise UnpackableError(
                            f"{kept_by[name]} and {full} are one parameter of two kinds of layers"
                        )
    return found


class Own(nn.Module):
    """The parameters, buffers and constants that forwards use by themselves, each of K cells.

    `wide` are those of the wide layers, by primary names: a forward that looks at one of these
    sees the layer's.
    """

    def __init__(self, backbone: nn.Module, wide: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.values: dict[str, nn.Module] = {}
        self._wide, self._primary, self._kept = wide, primary_names(backbone), nn.ModuleList()

    def value(
        self, name: str, backbones: Sequence[nn.Module], constants: Mapping[str, Tensor]
    ) -> str:
        """The key, in `values`, of the module that gives an attribute, or a traced constant."""
        # Constants by identity: the traces of train and eval mode may use one name for two.
        constant, primary = constants.get(name), self._primary.get(name, name)
        key = f"own/{primary.replace('.', '/') if constant is None else id(constant)}"
        if key not in self.values:
            if constant is None:
                own = [_attribute(backbone, name) for backbone in backbones]
            else:
                own = [constant] * len(backbones)
            self.values[key] = made = self._made(primary, own)
            self._kept.append(made)
        return key

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers that no layer keeps, [K, …]."""
        keys = {name: f"own/{name.replace('.', '/')}" for name in self._primary.values()}
        return {
            name: value.of_cells
            for name, key in keys.items()
            if name not in self._wide and isinstance(value := self.values.get(key), _Value)
        }

    def _made(self, name: str, own: Sequence[Any]) -> _Value:
        one = own[0]
        if not all(isinstance(each, Tensor) for each in own):
            raise UnpackableError(f"its forward hands on {name}, a {type(one).__name__}")
        if name in self._wide:
            return _Value(self._wide[name], one.shape, len(own))
        stacked = torch.stack([each.detach() for each in own])
        if isinstance(one, nn.Parameter):
            stacked = nn.Parameter(stacked, one.requires_grad)
        return _Value(stacked, one.shape, len(own))


class _Value(nn.Module):
    """Gives a tensor of K cells, each cell's of the given shape."""

    of_cells: Tensor

    def __init__(self, of_cells: Tensor, shape: torch.Size, cells: int) -> None:
        super().__init__()
        self._shape, self._cells = shape, cells
        if isinstance(of_cells, nn.Parameter):
            self.of_cells = of_cells
        else:
            self.register_buffer("of_cells", of_cells)

    def forward(self) -> Tensor | PerCell:
        """The values, in the form in which they travel."""
        if self.of_cells.ndim == 0:  # one counter for all cells
            return PerCell(self.of_cells.expand(self._cells))
        return packed(self.of_cells.view(self._cells, *self._shape))


def _attribute(module: nn.Module, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module
