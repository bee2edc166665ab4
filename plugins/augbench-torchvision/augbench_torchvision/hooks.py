"""The components of this distribution; free of torch."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_augmentations", "register_backbones"]


@hookimpl
def register_augmentations(register: Callable[[str, str], None]) -> None:
    """Register six single-image augmentations."""
    register("augmix", "augbench_torchvision.policies:AugMix")
    register("randaugment", "augbench_torchvision.policies:RandAugment")
    register("trivialaugment", "augbench_torchvision.policies:TrivialAugmentWide")
    register("affine", "augbench_torchvision.transforms:Affine")
    register("elastic", "augbench_torchvision.transforms:Elastic")
    register("random-erasing", "augbench_torchvision.transforms:RandomErasing")


@hookimpl
def register_backbones(register: Callable[[str, str], None]) -> None:
    """Register two residual networks."""
    register("cifar-resnet", "augbench_torchvision.cifar_resnet:cifar_resnet")
    register("resnet18", "augbench_torchvision.resnet18:resnet18")
