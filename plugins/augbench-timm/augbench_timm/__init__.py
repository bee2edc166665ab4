"""timm's Mixup and CutMix, and its models as backbones, for AugBench."""

__all__: list[str] = []
