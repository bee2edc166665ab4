"""Networks that are to be one: alike but for their numbers, and the same from call to call."""

from __future__ import annotations

import copy
import functools
import random
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from augbench.packed.dropout import StreamDropout
from augbench.packed.rules.registry import UnpackableError

__all__ = ["check_alike", "difference", "moving_state"]

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_KNOWN: dict[type[nn.Module], frozenset[str]] = {
    _NormBase: frozenset({"running_mean", "running_var", "num_batches_tracked"}),
    StreamDropout: frozenset({"rng"}),
}
_GENERATORS = (np.random.Generator, random.Random, torch.Generator)
_ADDRESS = re.compile("0x[0-9a-f]+")
_CALLS = 3  # an odd number: what each training step turns over does not end as it began
_DEEPEST = 6  # collections within collections: an object may hold itself


def check_alike(backbones: Sequence[nn.Module]) -> None:
    """Raise `UnpackableError` if a factory made one seed's backbone other than another's.

    One of them is read for all: a number that its constructor drew, say, would be everybody's.
    """
    one, *others = dict.fromkeys(backbones)  # cells of one seed share theirs
    for other in others:
        name = difference(one, other)
        if name is not None:
            raise UnpackableError(f"{name} is not the same for every seed")


def moving_state(network: nn.Module, images: Tensor, *, training: bool) -> str | None:
    """The name of a buffer or attribute that a forward changes, in train or in eval mode.

    Running statistics of torch's normalisations and the streams of dropouts are known to the
    rules. Anything else that moves, a counter or a branch on one, a trace would freeze.
    """
    one = copy.deepcopy(network).train(training)
    before = copy.deepcopy(one)
    for _ in range(_CALLS):
        for gradients in (True,) if training else (True, False):
            with torch.set_grad_enabled(gradients):
                one(images.clone())
    return difference(before, one, values=True)


def difference(one: nn.Module, other: nn.Module, *, values: bool = False) -> str | None:
    """The name of what two networks do not have in common, parameters' values apart.

    Compared are the modules' types and attributes, as far as these are numbers, texts, arrays,
    functions, or collections of such, and the shapes of parameters and which of them are frozen.
    With `values`, for one network at two times, also the values of buffers and the states of
    random generators, except those that the rules know.
    """
    modules = dict(other.named_modules())
    for name, module in one.named_modules():
        theirs, what = modules.pop(name, None), name or type(one).__name__
        if _kind(module) != _kind(theirs):
            return f"the layer {what}"
        if type(module) is not type(theirs):  # made anew by each call of the factory
            method = next(_other_methods(type(module), type(theirs)), None)
            if method is not None:
                return f"{what}.{method}"
        own, those = _attributes(module, values), _attributes(theirs, values)
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


def _other_methods(one: type, other: type) -> Iterator[str]:
    """The names of methods that two classes of one name do not have in common.

    A class that a factory makes may close over what the factory drew.
    """
    names = dict.fromkeys([*vars(one), *vars(other)])
    names.pop("__init__", None)  # which has run: its traces are attributes
    for name in names:
        a, b = vars(one).get(name), vars(other).get(name)
        if isinstance(a, types.FunctionType | None) and not _equal(a, b):
            yield name


def _attributes(module: Any, values: bool) -> dict[str, Any]:
    parameters = {name: _form(value) for name, value in module._parameters.items()}
    buffers = dict(module._buffers) if values else _forms(module._buffers)
    own = {
        name: value
        for name, value in vars(module).items()
        if name not in _OF_EVERY_MODULE and not _only_parameters(value, module)
    }
    if values:
        known = {
            name for kind, names in _KNOWN.items() if isinstance(module, kind) for name in names
        }
        return {n: v for n, v in {**own, **parameters, **buffers}.items() if n not in known}
    own = {n: v for n, v in own.items() if not isinstance(v, _GENERATORS)}
    return {**own, **parameters, **buffers}


def _only_parameters(value: object, module: nn.Module) -> bool:
    """True if an attribute is a list of the module's own parameters, as LSTMs keep one."""
    known = {id(one) for one in module._parameters.values()}
    return isinstance(value, list | tuple) and {id(one) for one in value} <= known and bool(value)


def _forms(values: Mapping[str, Tensor | None]) -> dict[str, object]:
    return {name: _form(value) for name, value in values.items()}


def _form(value: Tensor | None) -> object:
    return (
        type(value)
        if not isinstance(value, Tensor)
        else (tuple(value.shape), str(value.dtype), value.requires_grad)
    )


def _equal(one: Any, other: Any, depth: int = 0) -> bool:
    """True if two values are alike; what cannot be told counts as alike."""
    if one is other or depth > _DEEPEST:
        return True
    if type(one) is not type(other):
        return False

    def equal(a: Any, b: Any) -> bool:
        return _equal(a, b, depth + 1)

    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, int | float | complex | str | bytes | np.generic):
        return bool(one == other or (one != one and other != other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, set | frozenset):
        return bool(one == other)
    if isinstance(one, np.random.Generator):
        return equal(one.bit_generator.state, other.bit_generator.state)
    if isinstance(one, random.Random):
        return bool(one.getstate() == other.getstate())
    if isinstance(one, torch.Generator):
        return equal(one.get_state(), other.get_state())
    if isinstance(one, functools.partial):
        return equal((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    if isinstance(one, types.FunctionType):
        held = [[c.cell_contents for c in f.__closure__ or ()] for f in (one, other)]
        return one.__code__ is other.__code__ and equal(*held)
    if isinstance(one, nn.Module):
        return True  # one that is no layer of the network
    if " object at 0x" in repr(one):
        return equal(getattr(one, "__dict__", None), getattr(other, "__dict__", None))
    # An iterator, a queue, a counter: its text tells where it is, apart from addresses.
    return _ADDRESS.sub("", repr(one)) == _ADDRESS.sub("", repr(other))
