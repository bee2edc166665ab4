"""Backbones that are to be one network must differ in their parameters and buffers alone."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augbench.engines.rules import UnpackableError

__all__ = ["check_alike", "difference"]

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def check_alike(backbones: Sequence[nn.Module]) -> None:
    """Raise `UnpackableError` if a factory made one seed's backbone other than another's.

    One of them is read for all: a number that its constructor drew, say, would be everybody's.
    """
    one, *others = dict.fromkeys(backbones)  # cells of one seed share theirs
    for other in others:
        name = difference(one, other)
        if name is not None:
            raise UnpackableError(f"{name} is not the same for every seed")


def difference(one: nn.Module, other: nn.Module) -> str | None:
    """The name of what two backbones do not have in common, parameters' and buffers' values apart.

    Compared are the modules' types and attributes, as far as these are numbers, texts, arrays,
    functions, or collections of such, and the shapes of parameters and which of them are frozen.
    """
    modules = dict(other.named_modules())
    for name, module in one.named_modules():
        theirs, what = modules.pop(name, None), name or type(one).__name__
        if _kind(module) != _kind(theirs):
            return f"the layer {what}"
        own, those = _attributes(module), _attributes(theirs)
        for attribute in [*own, *those]:
            where = f"{what}.{attribute}"
            if attribute not in own or attribute not in those:
                return where
            if not _equal(own[attribute], those[attribute]):
                return where
    return next((f"the layer {name}" for name in modules), None)


def _kind(module: nn.Module | None) -> object:
    # A parametrized layer has a class of its own, of the same name and bases as its like.
    kind = type(module)
    return kind.__module__, kind.__qualname__, kind.__bases__


def _attributes(module: Any) -> dict[str, Any]:
    parameters = {name: _form(value) for name, value in module._parameters.items()}
    buffers = {name: _form(value) for name, value in module._buffers.items()}
    own = {name: value for name, value in vars(module).items() if name not in _OF_EVERY_MODULE}
    return {**own, **parameters, **buffers}


def _form(value: Tensor | None) -> object:
    return (
        type(value)
        if not isinstance(value, Tensor)
        else (tuple(value.shape), str(value.dtype), value.requires_grad)
    )


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are alike; what cannot be told counts as alike."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, int | float | complex | str | bytes | np.generic):
        return bool(one == other or (one != one and other != other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, set | frozenset):
        return bool(one == other)
    if isinstance(one, functools.partial):
        return _equal((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    if isinstance(one, types.FunctionType):
        held = [[c.cell_contents for c in f.__closure__ or ()] for f in (one, other)]
        return one.__code__ is other.__code__ and _equal(*held)
    return True
