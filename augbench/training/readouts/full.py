"""Full finetuning of K cells: all weights go on from what was pretrained, without augmentation."""

from __future__ import annotations

from augbench.protocol.streams import Role
from augbench.training.descent import descent
from augbench.training.readouts.contract import Fitted, ReadoutFit
from augbench.training.readouts.on_images import fit_on_images

__all__ = ["finetune_all_weights"]


def finetune_all_weights(fit: ReadoutFit) -> Fitted:
    """Finetune a copy of each cell's backbone, and a fresh head, by the recipe `full`."""
    return fit_on_images(fit, descent, part="full", dropout=Role.FULL_DROPOUT)
