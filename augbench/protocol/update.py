"""The update of weights: one step of the optimiser, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["Update"]


class Update:
    """Plain stochastic gradient descent, as `torch.optim.SGD` without momentum does it.

    The parameters may be one network's or those of K networks stacked: a sum of K losses has, for
    each network, its own loss's gradient.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self.parameters = [value for value in parameters if value.requires_grad]
        self.learning_rate = learning_rate

    def __call__(self, loss: Tensor) -> None:
        """Take one step down the gradient of a scalar `loss`; what it ignores stays as it is."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        pairs = zip(self.parameters, gradients, strict=True)
        used = [(value, slope) for value, slope in pairs if slope is not None]
        with torch.no_grad():
            torch._foreach_add_(
                [value for value, _ in used],
                [slope for _, slope in used],
                alpha=-self.learning_rate,
            )
