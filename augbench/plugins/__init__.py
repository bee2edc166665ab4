"""Plugins: augmentations, backbones and data sets, the built-in ones and everybody else's.

A plugin needs one name from here: `from augbench.plugins import hookimpl`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from augbench.plugins.components import Component
    from augbench.plugins.hookspecs import Register, hookimpl
    from augbench.plugins.registry import ComponentInfo, PluginInfo, Registry

__all__ = ["Component", "ComponentInfo", "PluginInfo", "Register", "Registry", "hookimpl"]

# Loaded at first use: whoever needs only `Component` does not pay for pluggy.
_HOMES = {
    "Component": "components",
    "ComponentInfo": "registry",
    "PluginInfo": "registry",
    "Register": "hookspecs",
    "Registry": "registry",
    "hookimpl": "hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
