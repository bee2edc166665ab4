"""torchvision's single-image augmentations and residual networks for AugBench."""

__all__: list[str] = []
