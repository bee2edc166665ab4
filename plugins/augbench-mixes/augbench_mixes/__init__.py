"""Mixed-sample augmentations for AugBench, one module each."""

__all__: list[str] = []
