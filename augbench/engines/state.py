"""What a network keeps beside its parameters: buffers and plain attributes, and whether they move.

Tracing sees a `forward` once. A counter in a buffer or in an attribute, or a branch on one, would
be frozen at what it was then, so a network whose own state moves is not packed. The running
statistics of torch's normalisations and the streams of dropouts are known to the rules.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Hashable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from augbench.engines.rules import UnpackableError
from augbench.protocol.dropout import StreamDropout

__all__ = ["State", "check_alike", "first_difference", "moving_state", "state_of"]

State = dict[str, Hashable]
"""The values of buffers and plain attributes, by their path in the network."""

_OF_TORCH = frozenset(vars(nn.Module()))
"""Attributes of every module: its mode, its hooks, its registers of parameters and buffers."""

_KNOWN: dict[type[nn.Module], frozenset[str]] = {
    _NormBase: frozenset({"running_mean", "running_var", "num_batches_tracked"}),
    StreamDropout: frozenset({"rng"}),
}
_STEPS = 3
_DEEPEST = 6


def state_of(network: nn.Module) -> State:
    """The state of a network, but for running statistics and streams of dropouts."""
    state: State = {}
    for path, module in network.named_modules():
        known = {
            name for kind, names in _KNOWN.items() if isinstance(module, kind) for name in names
        }
        own = {name: v for name, v in vars(module).items() if name not in _OF_TORCH}
        for name, value in {**own, **module._buffers}.items():
            if name not in known:
                state[f"{path}.{name}".lstrip(".")] = _value(value)
    return state


def moving_state(network: nn.Module, images: Tensor, *, training: bool) -> str | None:
    """The path of a buffer or attribute that a forward changes, in train or in eval mode."""
    one = copy.deepcopy(network).train(training)
    before = state_of(one)
    for _ in range(_STEPS):
        for gradients in (True,) if training else (True, False):
            with torch.set_grad_enabled(gradients):
                one(images.clone())
    return first_difference(before, state_of(one))


def first_difference(one: State, other: State) -> str | None:
    """The first path at which two states differ."""
    return next((path for path in {**one, **other} if one.get(path) != other.get(path)), None)


def check_alike(networks: Sequence[nn.Module]) -> None:
    """Raise `UnpackableError` where networks are not of one build but for their numbers.

    One forward will serve them all: layers, settings and plain attributes have to be the same.
    """
    first, *others = (_build(one) for one in networks)
    for other in others:
        path = first_difference(first, other)
        if path is not None:
            raise UnpackableError(
                f"its factory makes networks that differ from seed to seed, in {path!r}"
            )


def _build(network: nn.Module) -> State:
    """What a network is made of: the types of its layers, shapes, and settings."""
    build: State = {}
    for path, module in network.named_modules():
        build[path] = type(module).__qualname__
        for name, value in (*module._parameters.items(), *module._buffers.items()):
            shape = None if value is None else (tuple(value.shape), value.dtype)
            build[f"{path}.{name}".lstrip(".")] = shape
        for name, value in vars(module).items():
            if name not in _OF_TORCH and not isinstance(value, Tensor | np.random.Generator):
                build[f"{path}.{name}".lstrip(".")] = _value(value, by_address=False)
    return build


def _value(value: Any, depth: int = 0, *, by_address: bool = True) -> Hashable:
    """A value to compare by: equal for the same thing unless it has changed.

    What cannot be looked into counts as its address, or, to compare two networks, as its type.
    """

    def inner(one: Any) -> Hashable:
        return _value(one, depth + 1, by_address=by_address)

    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return (type(value).__name__, repr(value))
    if isinstance(value, Tensor):
        return ("tensor", str(value.dtype), tuple(value.shape), _bytes(value))
    if isinstance(value, np.ndarray):
        return ("array", str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, torch.dtype | torch.device | torch.Size | type):
        return str(value)
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, torch.Generator):
        return _bytes(value.get_state())
    if isinstance(value, nn.Module):
        return type(value).__qualname__  # its own state is seen where it is registered
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return tuple((repr(key), inner(one)) for key, one in value.items())
        if isinstance(value, Set):
            return tuple(sorted(map(repr, value)))
        if isinstance(value, list | tuple):
            return tuple(map(inner, value))
        if hasattr(value, "__dict__") and not callable(value):
            return (type(value).__qualname__, inner(vars(value)))
    return repr(value) if by_address else type(value).__qualname__


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
