"""The components of this distribution; free of torch and timm."""

from __future__ import annotations

from collections.abc import Callable

from augbench.plugins import hookimpl

__all__ = ["register_augmentations", "register_backbones"]


@hookimpl
def register_augmentations(register: Callable[[str, str], None]) -> None:
    """Register timm's mixers under one name; the first parameter chooses among them."""
    register("timm", "augbench_timm.mixers:TimmMixup")


@hookimpl
def register_backbones(register: Callable[[str, str], None]) -> None:
    """Register timm's models under one name; the first parameter chooses among them."""
    register("timm", "augbench_timm.models:timm_model")
