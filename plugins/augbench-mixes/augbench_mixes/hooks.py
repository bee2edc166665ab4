"""The components of this distribution; free of torch."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_augmentations"]


@hookimpl
def register_augmentations(register: Callable[[str, str], None]) -> None:
    """Register the twelve methods."""
    register("cutmix", "augbench_mixes.cutmix:CutMix")
    register("cutout", "augbench_mixes.cutout:Cutout")
    register("fmix", "augbench_mixes.fmix:FMix")
    register("gridmix", "augbench_mixes.gridmix:GridMix")
    register("manifold-mixup", "augbench_mixes.manifold_mixup:ManifoldMixup")
    register("mosaic", "augbench_mixes.mosaic:Mosaic")
    register("puzzlemix", "augbench_mixes.puzzlemix:PuzzleMix")
    register("resizemix", "augbench_mixes.resizemix:ResizeMix")
    register("ricap", "augbench_mixes.ricap:Ricap")
    register("saliencymix", "augbench_mixes.saliencymix:SaliencyMix")
    register("smoothmix", "augbench_mixes.smoothmix:SmoothMix")
    register("zeta-mixup", "augbench_mixes.zeta_mixup:ZetaMixup")
