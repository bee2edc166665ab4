"""A pack of backbones whose pretraining has ended, or has come to the end of a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from augbench.packed import Heads, Packed
from augbench.protocol.cell_result import TrainingCurve
from augbench.training.features import OneByOne
from augbench.training.packs import Unit
from augbench.training.reference import Trained

__all__ = ["PretrainedPack"]


@dataclass
class PretrainedPack:
    """K backbones as they are after `steps`, `like` one of which each is made, and their heads.

    `units` are the cells of each. `curves` tell how their training went, `metrics` what was
    measured. `doubtful` are the numbers of the backbones that only the reference can train. A
    backbone that was pretrained as the reference does it is `alone`, and has no packer.
    """

    steps: int
    backbones: Packed | OneByOne
    like: nn.Module
    packer: Callable[[Sequence[nn.Module]], Packed] | None
    heads: Heads
    curves: list[TrainingCurve]
    metrics: list[dict[str, float]]
    units: Sequence[Unit]
    doubtful: Sequence[int] = ()
    alone: Trained | None = None
