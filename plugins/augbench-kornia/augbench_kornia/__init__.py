"""kornia's mixing augmentations for AugBench."""

__all__: list[str] = []
