"""Training curves: window means without waiting for the device at every step."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from augbench.errors import DivergedError
from augbench.options import Training, named
from augbench.protocol.cell_result import TrainingCurve

__all__ = ["CURVE_STEPS", "DivergedError", "Recorder", "check_finite", "check_metrics", "hits"]

CURVE_STEPS = 50
"""Steps per point of a training curve."""


def hits(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    """The share of images whose prediction is the class of the largest weight, over dim −2."""
    right = log_probabilities.argmax(dim=-1) == targets.argmax(dim=-1)
    return right.to(torch.float32).mean(dim=-1)


class Recorder:
    """Collects losses and accuracies, each step a scalar tensor or one of shape [cells]."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._accuracies: list[Tensor] = []
        self._tests: list[tuple[int, list[tuple[float, float]]]] = []

    @property
    def steps(self) -> int:
        """Steps recorded so far."""
        return len(self._losses)

    def step(self, loss: Tensor, accuracy: Tensor) -> None:
        """Record one step."""
        self._losses.append(loss.detach())
        self._accuracies.append(accuracy)

    def block(self, losses: Tensor, accuracies: Tensor) -> None:
        """Record a block of steps, each [steps, cells]."""
        self._losses += losses.detach().unbind()
        self._accuracies += accuracies.unbind()

    def test(self, measured: list[tuple[float, float]], step: int | None = None) -> None:
        """Record (loss, accuracy) of each cell on the test set, after `step` steps or all."""
        self._tests.append((self.steps if step is None else step, measured))

    def curves(self, cells: int = 1) -> list[TrainingCurve]:
        """The curve of each cell."""
        steps = self.steps
        if not steps:
            return [TrainingCurve()] * cells
        losses = torch.stack(self._losses).reshape(steps, cells).double().cpu().numpy()
        accuracies = torch.stack(self._accuracies).reshape(steps, cells).double().cpu().numpy()
        ends = [*range(CURVE_STEPS, steps, CURVE_STEPS), steps]
        starts = [0, *ends[:-1]]
        # [windows, cells]
        loss, accuracy = (
            np.stack([values[a:b].mean(axis=0) for a, b in zip(starts, ends, strict=True)])
            for values in (losses, accuracies)
        )
        return [
            TrainingCurve(
                step=tuple(ends),
                loss=tuple(loss[:, k].tolist()),
                accuracy=tuple(accuracy[:, k].tolist()),
                test_step=tuple(step for step, _ in self._tests),
                test_loss=tuple(measured[k][0] for _, measured in self._tests),
                test_accuracy=tuple(measured[k][1] for _, measured in self._tests),
            )
            for k in range(cells)
        ]


_PARTS: dict[Training, tuple[str, str]] = {
    "pretraining": ("pretraining", "learning_rate"),
    "finetuning": ("finetuning", "finetune_learning_rate"),
    "full": ("full finetuning", "full_learning_rate"),
}


def check_finite(curve: TrainingCurve, part: Training, learning_rate: float) -> None:
    """Raise `DivergedError` if the loss of a training is not finite."""
    what, rate = _PARTS[part]
    for step, loss in zip(curve.step, curve.loss, strict=True):
        if not np.isfinite(loss):
            raise DivergedError(
                f"{what} diverged: the loss is {loss} by step {step} at a learning rate of "
                f"{learning_rate:g}; try a smaller {named(rate)}"
            )


def check_metrics(metrics: dict[str, float]) -> None:
    """Raise `DivergedError` if one of the metrics is no finite number."""
    if not all(map(math.isfinite, metrics.values())):
        raise DivergedError(
            "finetuning diverged at its last step; try a smaller "
            f"{named('finetune_learning_rate')}, or {named('full_learning_rate')} where all "
            "weights are finetuned"
        )
