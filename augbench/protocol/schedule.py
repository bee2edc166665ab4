"""Schedules: the learning rate of each step, as a factor of the recipe's."""

from __future__ import annotations

import math
from collections.abc import Callable

from augbench.protocol.recipe import Recipe

__all__ = ["rate_factors"]


def rate_factors(recipe: Recipe, steps: int) -> list[float]:
    """The factor of the learning rate in each of so many steps, in [0, 1].

    A warm-up of W steps rises from 1/(W + 1) to W/(W + 1) in equal parts, as
    `torch.optim.lr_scheduler.LinearLR` does. `cosine` then falls from 1 towards 0 over the steps
    that are left (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts;
    `CosineAnnealingLR`). The milestones of `step` are shares of all steps (`MultiStepLR`).
    """
    warmup = min(round(recipe.warmup * steps), steps - 1)  # one step at the full rate at least
    factor = _SCHEDULES[recipe.schedule](recipe, steps, warmup)
    return [min(1.0, (step + 1) / (warmup + 1)) * factor(step) for step in range(steps)]


def _constant(recipe: Recipe, steps: int, warmup: int) -> Callable[[int], float]:
    return lambda step: 1.0


def _cosine(recipe: Recipe, steps: int, warmup: int) -> Callable[[int], float]:
    # 1 during the warm-up.
    return lambda step: (1 + math.cos(math.pi * max(0, step - warmup) / (steps - warmup))) / 2


def _step(recipe: Recipe, steps: int, warmup: int) -> Callable[[int], float]:
    ends = [round(share * steps) for share in recipe.milestones]
    return lambda step: recipe.milestone_factor ** sum(step >= end for end in ends)


_SCHEDULES = {"constant": _constant, "cosine": _cosine, "step": _step}
