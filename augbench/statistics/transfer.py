"""The effect on the pretraining task beside that on the task that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from augbench.statistics.intervals import MeanInterval, paired_difference

__all__ = ["Agreement", "Transfer", "transfer"]

Agreement = Literal["same sign", "opposite signs", "not established"]


@dataclass(frozen=True)
class Transfer:
    """The paired effect on the pretraining head beside that on the finetuned head.

    `agreement` compares signs only where both intervals exclude 0.
    """

    pretrained: MeanInterval
    finetuned: MeanInterval
    agreement: Agreement


def transfer(
    pretrained: ArrayLike,
    pretrained_baseline: ArrayLike,
    finetuned: ArrayLike,
    finetuned_baseline: ArrayLike,
    *,
    confidence: float = 0.95,
) -> Transfer:
    """Set both heads' paired differences [n] side by side, each with its t interval.

    An augmentation may lower the accuracy on D_P and raise it on D_F, or the other way round:
    Kornblith et al. 2021, arXiv 2010.16402, found losses that gain on the first and lose on the
    second. Raises `UsageError` for arms of
    different shapes.
    """
    first = paired_difference(pretrained, pretrained_baseline, confidence=confidence)
    second = paired_difference(finetuned, finetuned_baseline, confidence=confidence)
    signs = _sign(first), _sign(second)
    agreement: Agreement = "not established"
    if all(signs):
        agreement = "same sign" if signs[0] == signs[1] else "opposite signs"
    return Transfer(first, second, agreement)


def _sign(interval: MeanInterval) -> int:
    """+1 or −1 where the interval excludes 0, else 0 (NaN excludes nothing)."""
    return int(interval.lower > 0) - int(interval.upper < 0)
