"""The built-in plugin: it registers as any third party's does."""

from __future__ import annotations

from augbench.plugins.hookspecs import Register, hookimpl

__all__ = [
    "register_augmentations",
    "register_backbones",
    "register_corruptions",
    "register_datasets",
    "register_executors",
]


@hookimpl
def register_augmentations(register: Register) -> None:
    """Register the augmentations of the handout."""
    register("none", "augbench.augmentations.none:NoAugmentation")
    register("collage", "augbench.augmentations.collage:Collage")
    register("mixup", "augbench.augmentations.mixup:Mixup")
    register("crop-flip", "augbench.augmentations.crop_flip:CropFlip")


@hookimpl
def register_backbones(register: Register) -> None:
    """Register the network of the handout."""
    register("convnet", "augbench.backbones.convnet:convnet")


@hookimpl
def register_datasets(register: Register) -> None:
    """Register the embedded glyphs, torchvision's sets, image folders, and corrupted sets."""
    register("glyph-digits", "augbench.datasets.glyphs:glyph_digits")
    register("glyph-letters", "augbench.datasets.glyphs:glyph_letters")
    for name in ("mnist", "emnist", "fashion-mnist", "kmnist", "qmnist"):
        register(name, "augbench.datasets.vision:" + name.replace("-", "_"))
    for name in ("cifar10", "cifar100", "svhn"):
        register(name, "augbench.datasets.vision:" + name)
    register("folder", "augbench.datasets.folder:folder")
    register("mnist-c", "augbench.datasets.corrupted:mnist_c")
    register("cifar10-c", "augbench.datasets.corrupted:cifar10_c")


@hookimpl
def register_executors(register: Register) -> None:
    """Register the two ways to train on this machine."""
    register("processes", "augbench.executors.processes:processes")
    register("serial", "augbench.executors.serial:serial")


@hookimpl
def register_corruptions(register: Register) -> None:
    """Register the nine standard corruptions."""
    register("noise", "augbench.corruptions.noise:Noise")
    register("blur", "augbench.corruptions.blur:Blur")
    register("contrast", "augbench.corruptions.light:Contrast")
    register("brightness", "augbench.corruptions.light:Brightness")
    register("elastic", "augbench.corruptions.elastic:Elastic")
    register("occlusion", "augbench.corruptions.occlusion:Occlusion")
    register("jpeg", "augbench.corruptions.jpeg:Jpeg")
    register("translation", "augbench.corruptions.movement:Translation")
    register("rotation", "augbench.corruptions.movement:Rotation")
