"""Functions in a `forward`: what takes the place of each; see `rules.py`.

Those with a rule of their own are in `glue.py`. The others are `UNCHANGED`, where they do to many
cells' values what they do to one's, or done to each cell's value, see `values.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augbench.packed.rules.registry import FUNCTION_RULES, UnpackableError
from augbench.packed.values import DRAWS, PerCell, each_cell

__all__ = ["UNCHANGED", "rule_of"]

UNCHANGED: frozenset[object] = frozenset(
    {
        # Functions of each value alone,
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
        *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.neg),
        *(operator.pow, operator.mod, operator.gt, operator.ge, operator.lt, operator.le),
        *(operator.eq, operator.ne),
        *(torch.add, torch.sub, torch.mul, torch.div, torch.maximum, torch.minimum, torch.where),
        *(torch.relu, torch.sigmoid, torch.tanh, torch.exp, torch.abs, torch.sqrt, torch.clamp),
        *(torch.pow, torch.rsub, torch.rsqrt, torch.reciprocal, torch.neg, torch.sign, torch.erf),
        *(
            torch.log,
            torch.log1p,
            torch.expm1,
            torch.sin,
            torch.cos,
            torch.square,
            torch.true_divide,
        ),
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish),
        *(F.softplus, F.hardswish, F.hardsigmoid, F.hardtanh, F.sigmoid, F.tanh, F.logsigmoid),
        *(F.softsign, F.tanhshrink, F.softshrink, F.hardshrink, F.threshold),
        *("add", "add_", "sub", "mul", "mul_", "div", "relu", "relu_", "sigmoid", "tanh"),
        *("exp", "abs", "sqrt", "square", "clamp", "neg", "maximum", "minimum", "pow", "rsub"),
        *("log", "log1p", "expm1", "sin", "cos", "rsqrt", "reciprocal", "sign", "erf"),
        *("sub_", "div_", "clamp_", "sigmoid_", "tanh_", "exp_", "clone", "detach"),
        *(torch.relu_, torch.sigmoid_, torch.tanh_, torch.exp_, torch.clamp_, F.relu_),
        # of each channel of a map alone,
        *(F.max_pool2d, torch.max_pool2d, F.avg_pool2d),
        *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
        # or of the channels of each cell, which stay together.
        *(F.pixel_shuffle, torch.pixel_shuffle, F.pixel_unshuffle, torch.pixel_unshuffle),
    }
)
"""What acts on maps, and on vectors, of K cells exactly as on one cell's."""

_OF_NUMBERS = {"operator", "_operator", "math", "builtins"}
_OF_THE_MEMORY = {
    *("as_strided", "stride", "storage", "storage_offset", "untyped_storage", "data_ptr"),
    *("is_contiguous", "set_", "resize", "apply_", "map_"),
}
_OF_THE_GRAPH = {"backward", "register_hook", "retain_grad", "requires_grad_"}


def rule_of(target: Any) -> Callable[..., Any]:
    """What takes the place of a function, or of a tensor's method of that name: takes K first.

    Raises `UnpackableError` where nothing can: what changes a value in place, or asks for memory.
    """
    if target in FUNCTION_RULES:
        return FUNCTION_RULES[target]
    name = getattr(target, "__name__", str(target))
    if target in UNCHANGED:
        return _alike(target)
    if target in (F.rrelu, F.rrelu_):
        raise UnpackableError(DRAWS.format(what="rrelu"))
    if isinstance(target, str):
        return _method(target)
    if name in _OF_THE_MEMORY or (name.endswith("_") and not name.endswith("__")):
        raise UnpackableError(_in_place_or_memory(name))
    return _each(target)


@lru_cache(maxsize=256)
def _alike(target: Any) -> Callable[..., Any]:
    """A function that is `UNCHANGED`, wherever its values fit each other as they are."""
    function = getattr(torch.Tensor, target) if isinstance(target, str) else target

    def alike(cells: int, *args: Any, **kwargs: Any) -> Any:
        first = None
        for one in chain(args, kwargs.values()):
            if isinstance(one, Tensor):
                if first is None:
                    first = one
                elif one.ndim != first.ndim or one.shape[1] != first.shape[1]:
                    break  # a cell's one channel beside many, a map beside a vector
            elif isinstance(one, PerCell):
                break
        else:
            return function(*args, **kwargs)
        return each_cell(cells, function, *args, **kwargs)

    return alike


@lru_cache(maxsize=256)
def _each(function: Any) -> Callable[..., Any]:
    """Any other function."""

    def each(cells: int, *args: Any, **kwargs: Any) -> Any:
        values = chain(args, kwargs.values())
        of_numbers = getattr(function, "__module__", None) in _OF_NUMBERS
        if of_numbers and not any(isinstance(one, Tensor | PerCell) for one in values):
            return function(*args, **kwargs)
        return each_cell(cells, function, *args, **kwargs)

    module = getattr(function, "__module__", None) or "torch"  # torch's built-in ones have none
    if module not in _OF_NUMBERS and not f"{module}.".startswith("torch."):
        each.__module__ = module  # so that it is seen to be somebody else's: see `replayable`
    return each


@lru_cache(maxsize=256)
def _method(name: str) -> Callable[..., Any]:
    """A method of a tensor, or of what else a value may be (a shape, say)."""
    of_tensors = getattr(torch.Tensor, name, None)
    if name in _OF_THE_GRAPH or name in _OF_THE_MEMORY or name.endswith("_"):
        raise UnpackableError(_in_place_or_memory(name))

    def method(cells: int, x: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(x, Tensor | PerCell):
            return getattr(x, name)(*args, **kwargs)
        if of_tensors is None:
            raise UnpackableError(f"no packing rule for the method {name} of a tensor")
        return each_cell(cells, of_tensors, x, *args, **kwargs)

    return method


def _in_place_or_memory(name: str) -> str:
    if name in _OF_THE_MEMORY - {"set_", "apply_", "map_"}:
        return f"its forward asks how a value lies in memory ({name})"
    if name in _OF_THE_GRAPH:
        return f"its forward changes how gradients are taken ({name})"
    return f"its forward changes a value in place ({name}): write {name.rstrip('_')}"
