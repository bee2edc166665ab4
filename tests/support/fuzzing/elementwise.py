"""Functions of each value: torch's activations, and arithmetic as users write it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LAYERS", "MATHS"]

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu_in_place": lambda: nn.ReLU(inplace=True),
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "leaky": lambda: nn.LeakyReLU(0.1, inplace=True),
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "softsign": nn.Softsign,
    "hardtanh": nn.Hardtanh,
    "tanhshrink": nn.Tanhshrink,
    "softshrink": lambda: nn.Softshrink(0.1),
    "hardshrink": lambda: nn.Hardshrink(0.1),
    "threshold": lambda: nn.Threshold(0.1, 0.0),
    "logsigmoid": nn.LogSigmoid,
}

MATHS: dict[str, Callable[[Tensor], Tensor]] = {
    "swish": lambda x: x * torch.sigmoid(x),
    "affine": lambda x: x * 3.7 + 0.1,
    "relu": F.relu,
    "method": lambda x: x.relu(),
    "square": lambda x: x**2,
    "root": lambda x: x**0.5,
    "pow": lambda x: torch.pow(x, 2),
    "in_place": lambda x: F.relu(x + 0, inplace=True),
    "torch_in_place": lambda x: torch.relu_(x * 1),
    "reversed": lambda x: 1.0 - x,
    "divided": lambda x: x / 3,
    "floor": lambda x: x + x.floor(),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "clamp_min": lambda x: torch.clamp(x, min=0.1),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "abs": lambda x: x.abs().add(1).log(),
    "sqrt": lambda x: torch.sqrt(x * x + 1),
    "signed": lambda x: torch.sign(x) * x,
    "sin": torch.sin,
    "exp": lambda x: torch.exp(-x * x),
    "added": lambda x: torch.add(x, x, alpha=2),
    "masked": lambda x: x * (x > 0),
    "detached": lambda x: x - x.detach() * 0.5,
    "erf": torch.erf,
    "float": lambda x: x.float() if x.dtype == torch.float32 else x,
    "clone": lambda x: x.clone(),
    "zeros": lambda x: x + torch.zeros_like(x),
    "ones": lambda x: x * torch.ones(1),
    "nan_to_num": torch.nan_to_num,
    "lerp": lambda x: torch.lerp(x, x * x, 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
    "reciprocal": lambda x: 1 / (1 + x.abs()),
    "max_with_zero": lambda x: torch.max(x, torch.zeros_like(x)),
    "identity": lambda x: x,
}
