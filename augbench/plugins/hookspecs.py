"""The hooks that a plugin may implement: entry-point group `augbench`, or `--plugin`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

__all__ = ["Register", "hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("augbench")
hookimpl = pluggy.HookimplMarker("augbench")

Register = Callable[[str, Any], None]
"""`register(name, factory)`: a factory is a callable or a `"module:Attr"` string."""


@hookspec
def register_augmentations(register: Register) -> None:
    """Register augmentation classes: `register("mixup", "my_package.mixup:Mixup")`."""


@hookspec
def register_backbones(register: Register) -> None:
    """Register backbone factories: `register("resnet18", "my_package.resnet:resnet18")`."""


@hookspec
def register_datasets(register: Register) -> None:
    """Register data set factories: `register("cats", "my_package.cats:load")`."""


@hookspec
def register_executors(register: Register) -> None:
    """Register factories of executors: `register("ray", "my_package.cluster:executor")`."""


@hookspec
def register_corruptions(register: Register) -> None:
    """Register classes of corruptions: `register("fog", "my_package.weather:Fog")`."""
