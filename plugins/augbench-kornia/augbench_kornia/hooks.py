"""The components of this distribution; free of torch and kornia."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_augmentations"]


@hookimpl
def register_augmentations(register: Callable[[str, str], None]) -> None:
    """Register kornia's mixers."""
    register("kornia", "augbench_kornia.pairs:KorniaPair")
    register("kornia-mosaic", "augbench_kornia.mosaic:KorniaMosaic")
