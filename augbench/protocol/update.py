"""The update of weights: one step of the optimiser, the same for every engine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from augbench.protocol.recipe import Recipe
from augbench.protocol.schedule import rate_factors

__all__ = ["Update"]

_BETAS = 0.9, 0.999  # of AdamW's moments, and its epsilon: torch's defaults
_EPSILON = 1e-8


class Update:
    """The update by one recipe of one network, or by K recipes of K networks stacked.

    Each parameter holds those of the K networks one after the other along its first dimension. A
    sum of K losses has, for each network, its own loss's gradient. The recipes of K networks differ
    in the numbers `OF_EACH_CELL` alone. A step's numbers are those of `torch.optim.SGD` and `AdamW`
    under the schedules that `rate_factors` names, behind `torch.nn.utils.clip_grad_norm_` for each
    network by itself.

    `state` holds the tensors that a step changes beside the parameters. What differs from step to
    step, such as the learning rate, is read from tensors at the place that a counter in `state`
    says: a step that is recorded and replayed goes on with them.
    """

    def __init__(self, parameters: Iterable[Tensor], recipes: Sequence[Recipe], steps: int) -> None:
        self.parameters = [value for value in parameters if value.requires_grad]
        self.state: list[Tensor] = []
        self._one = one = recipes[0]
        rates = {recipe.learning_rate for recipe in recipes}
        self._is_plain = len(rates) == 1 and all(recipe.is_plain for recipe in recipes)
        if self._is_plain or not self.parameters:
            return
        self._cells = len(recipes)
        like = self.parameters[0]
        # Each network's own number, [K]; None where it would change nothing in any of them.
        self._rate = like.new_tensor([recipe.learning_rate for recipe in recipes])
        self._momentum = _numbers([recipe.momentum for recipe in recipes], like)
        self._decay = _numbers([recipe.weight_decay for recipe in recipes], like)
        self._largest_norm = _numbers([recipe.clip_norm for recipe in recipes], like)
        if self._largest_norm is not None:
            self._largest_norm[self._largest_norm == 0] = math.inf
        self._of_step = like.new_tensor(_of_step(one, steps))  # [steps + 1, 3]
        self._counter = torch.zeros(1, dtype=torch.int64, device=like.device)
        # The momentum, or AdamW's two moments, of each parameter.
        kept = 2 if one.optimizer == "adamw" else int(self._momentum is not None)
        with torch.no_grad():
            self._kept = [
                [torch.zeros_like(self._by_cell(value)) for value in self.parameters]
                for _ in range(kept)
            ]
        self.state = [self._counter, *(buffer for some in self._kept for buffer in some)]

    def __call__(self, loss: Tensor) -> None:
        """Take one step down the gradient of a scalar `loss`; what it ignores stays as it is."""
        self.step(torch.autograd.grad(loss, self.parameters, allow_unused=True))

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Take one step by given gradients of the parameters; what has none stays as it is."""
        pairs = enumerate(gradients)
        numbered = [(n, gradient) for n, gradient in pairs if gradient is not None]
        used, slopes = [n for n, _ in numbered], [gradient for _, gradient in numbered]
        values = [self.parameters[n] for n in used]
        if self._is_plain:
            torch._foreach_add_(values, slopes, alpha=-self._one.learning_rate)
            return
        factor, *corrections = self._of_step.index_select(0, self._counter)[0]
        self._counter.add_(1)
        rate = self._rate * factor  # [K]
        values, slopes = (list(map(self._by_cell, some)) for some in (values, slopes))
        kept = [[some[n] for n in used] for some in self._kept]
        if self._largest_norm is not None:
            slopes = _clipped(slopes, self._largest_norm)
        if self._one.optimizer == "adamw":
            self._adamw(values, slopes, rate, kept, corrections)
        else:
            self._sgd(values, slopes, rate, kept)

    def _sgd(
        self, values: list[Tensor], slopes: list[Tensor], rate: Tensor, kept: list[list[Tensor]]
    ) -> None:
        if self._decay is not None:
            decay = _beside(values, self._decay)
            slopes = [torch.addcmul(*one) for one in zip(slopes, values, decay, strict=True)]
        if self._momentum is not None:
            (buffers,), momentum = kept, _beside(values, self._momentum)
            torch._foreach_mul_(buffers, momentum)
            torch._foreach_add_(buffers, slopes)
            if self._one.nesterov:
                slopes = [
                    torch.addcmul(*one) for one in zip(slopes, buffers, momentum, strict=True)
                ]
            else:
                slopes = buffers
        torch._foreach_addcmul_(values, slopes, _beside(values, rate), value=-1)

    def _adamw(
        self,
        values: list[Tensor],
        slopes: list[Tensor],
        rate: Tensor,
        kept: list[list[Tensor]],
        corrections: list[Tensor],
    ) -> None:
        """Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2."""
        (first, second), (of_first, of_second) = kept, corrections
        if self._decay is not None:
            torch._foreach_mul_(values, _beside(values, 1 - rate * self._decay))
        torch._foreach_lerp_(first, slopes, 1 - _BETAS[0])
        torch._foreach_mul_(second, _BETAS[1])
        torch._foreach_addcmul_(second, slopes, slopes, value=1 - _BETAS[1])
        moves = [
            moment / (square.sqrt() * of_second + _EPSILON)
            for moment, square in zip(first, second, strict=True)
        ]
        torch._foreach_addcmul_(values, moves, _beside(values, rate * of_first), value=-1)

    def _by_cell(self, value: Tensor) -> Tensor:
        """A view [K, …] of a parameter, or its gradient, of K networks; two dimensions at least."""
        if not value.ndim:
            return value.view(1, 1)
        return value.view(self._cells, len(value) // self._cells, *value.shape[1:])


def _numbers(values: Sequence[float], like: Tensor) -> Tensor | None:
    return like.new_tensor(values) if any(values) else None


def _of_step(recipe: Recipe, steps: int) -> list[tuple[float, float, float]]:
    """Each step's factor of the learning rate and AdamW's corrections of its two moments.

    There is one step more: a recording of the last step is tried out once before it is undone.
    """
    factors = rate_factors(recipe, steps)
    first, second = _BETAS
    return [
        (factor, 1 / (1 - first**step), 1 / math.sqrt(1 - second**step))
        for step, factor in enumerate([*factors, 0.0], 1)
    ]


def _beside(values: Sequence[Tensor], numbers: Tensor) -> list[Tensor]:
    """The numbers [K] of K networks, once for each value [K, …], in a shape that broadcasts."""
    return [numbers.view(-1, *[1] * (value.ndim - 1)) for value in values]


def _clipped(slopes: Sequence[Tensor], largest: Tensor) -> list[Tensor]:
    """Gradients [K, …], scaled down where a network's norm of them all exceeds its largest, [K]."""
    norms = [torch.linalg.vector_norm(one, dim=tuple(range(1, one.ndim))) for one in slopes]
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)  # [K]
    # The small number is torch's.
    shares = _beside(slopes, (largest / (norm + 1e-6)).clamp(max=1))
    return [slope * share for slope, share in zip(slopes, shares, strict=True)]
