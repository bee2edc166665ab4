"""Kept backbones in the packed engine: loaded instead of pretrained, and written where new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from torch import nn

from augbench.batching.kept_backbones import Kept
from augbench.batching.materials import CellMaterials
from augbench.packed import Heads, Packed
from augbench.protocol.study import Cell
from augbench.training.contract import Progress
from augbench.training.features import OneByOne
from augbench.training.packs import Unit, units_of
from augbench.training.pretrained import PretrainedPack
from augbench.training.reference import Trained
from augbench.training.weights import load_weights, weights_of

__all__ = ["are_kept", "keep", "kept_apart", "loaded"]


def kept_apart(units: Sequence[Unit], materials: CellMaterials) -> list[Sequence[Unit]]:
    """Part units into those whose backbones are kept, and those that are to be pretrained."""
    if materials.kept is None:
        return [units]
    there: list[Cell] = []
    lacking: list[Cell] = []
    for unit in units:
        for cell in unit:
            (there if materials.kept.has(cell, materials) else lacking).append(cell)
    return [units_of(part) for part in (there, lacking) if part]


def are_kept(units: Sequence[Unit], materials: CellMaterials) -> bool:
    """True if none of the units' cells need be pretrained."""
    kept = materials.kept
    return kept is not None and all(kept.has(cell, materials) for unit in units for cell in unit)


def loaded(
    units: Sequence[Unit],
    packer: Callable[[Sequence[nn.Module]], Packed] | None,
    materials: CellMaterials,
    progress: Progress,
) -> Iterator[PretrainedPack]:
    """Yield packs of kept backbones, one for each budget, as a pretraining would."""
    assert materials.kept is not None
    cells = sorted((cell for unit in units for cell in unit), key=_steps)
    for steps, group in groupby(cells, key=_steps):
        ending = units_of(group)
        found = [materials.kept.load(unit[0], materials) for unit in ending]
        kept = [one for one in found if one is not None]
        if len(kept) < len(found):
            raise FileNotFoundError("a kept backbone that was just read is no longer there")
        progress(steps * sum(map(len, ending)))
        modules = [one.backbone.eval() for one in kept]
        backbones: Packed | OneByOne
        alone = None
        if packer is None:
            (one,) = kept
            one.backbone.requires_grad_(False)
            backbones = OneByOne(modules)
            alone = Trained(one.backbone, one.head, one.metrics, one.curve)
        else:
            backbones = packer(modules)
            backbones.train(False)
        yield PretrainedPack(
            steps,
            backbones,
            modules[0],
            packer,
            Heads([one.head for one in kept]),
            [one.curve for one in kept],
            [one.metrics for one in kept],
            ending,
            alone=alone,
        )


@torch.no_grad()
def keep(trained: PretrainedPack, materials: CellMaterials) -> None:
    """Write the backbones of a pack whose cells' budgets end here, where they are to be kept."""
    if materials.kept is None:
        return
    for k, unit in enumerate(trained.units):
        ending = [one for one in unit if one.pretrain_steps == trained.steps and not one.trial]
        if not ending or k in trained.doubtful or materials.kept.has(ending[0], materials):
            continue
        (cell, *_) = ending
        (weights,) = weights_of(trained.backbones, trained.like, [k])
        backbone = load_weights(materials.backbone(cell), weights)
        head = materials.head(cell, backbone, finetune=False)
        head.weight.copy_(trained.heads.weight[k])
        head.bias.copy_(trained.heads.bias[k, 0])
        kept = Kept(backbone, head, trained.curves[k], trained.metrics[k])
        materials.kept.keep(cell, materials, kept)


def _steps(cell: Cell) -> int:
    return cell.pretrain_steps
