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

__all__ = ["check_alike"]

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def check_alike(backbones: Sequence[nn.Module]) -> None:
    """Raise `UnpackableError` if a factory made one seed's backbone other than another's.

    One of them is read for all: a number that its constructor drew, say, would be everybody's.
    Compared are the modules' types and attributes, as far as these are numbers, texts, arrays,
    functions, or collections of such, and the shapes of parameters and which of them are frozen.
    """
    one, *others = dict.fromkeys(backbones)  # cells of one seed share theirs
    own = [(name, module, _attributes(module)) for name, module in one.named_modules()]
    for other in others:
        modules = dict(other.named_modules())
        if [name for name, _, _ in own] != list(modules):
            raise UnpackableError("it has not the same layers for every seed")
        for name, module, attributes in own:
            theirs = _attributes(modules[name])
            what = name or type(one).__name__
            if type(module) is not type(modules[name]) or attributes.keys() != theirs.keys():
                raise UnpackableError(f"{what} is not the same layer for every seed")
            for attribute, value in attributes.items():
                if not _equal(value, theirs[attribute]):
                    raise UnpackableError(f"{what}.{attribute} is not the same for every seed")


def _attributes(module: nn.Module) -> dict[str, Any]:
    parameters = {name: _form(value) for name, value in module._parameters.items()}
    buffers = {name: _form(value) for name, value in module._buffers.items()}
    own = {name: value for name, value in vars(module).items() if name not in _OF_EVERY_MODULE}
    return {**own, **parameters, **buffers}


def _form(value: Tensor | None) -> object:
    return value if value is None else (tuple(value.shape), str(value.dtype), value.requires_grad)


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
