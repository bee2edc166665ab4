"""Load one plugin: import it, check its hooks, let it register its components."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

from augbench.errors import PluginError
from augbench.plugins import hookspecs
from augbench.plugins.components import WORDS, Kind
from augbench.plugins.discovery import Plugin, normalized
from augbench.plugins.isolation import PLUGIN_FAILURES, describe, watched
from augbench.plugins.suggestion import suggestion

__all__ = ["HOOKS", "Entry", "Loader"]

HOOKS: dict[str, Kind] = {
    "register_augmentations": "augmentation",
    "register_backbones": "backbone",
    "register_datasets": "dataset",
    "register_executors": "executor",
    "register_corruptions": "corruption",
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, eq=False)
class Entry:
    """A registered component. `factory` is a callable or a `"module:Attr"` string."""

    kind: Kind
    name: str
    factory: Any
    plugin: Plugin

    @property
    def qualified(self) -> str:
        """`distribution:name`, which always reaches this component."""
        return f"{self.plugin.distribution}:{self.name}"


class Loader:
    """Loads plugins one by one; a plugin that fails leaves nothing behind."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("augbench")
        self.manager.add_hookspecs(hookspecs)
        self.entries: list[Entry] = []
        self._loaded: list[object] = []

    def load(self, plugin: Plugin) -> bool:
        """Load a plugin; False if the same module is loaded already. Failures are noted in it."""
        if plugin.builtin:
            self._register(plugin)
            return True
        with watched() as remarks:
            try:
                new = self._register(plugin)
            except PLUGIN_FAILURES as error:
                new = True
                plugin.fail(describe(error), error)
                if self.manager.has_plugin(plugin.key):
                    self.manager.unregister(name=plugin.key)
        for remark in remarks:
            plugin.warn(remark)
        return new

    def _register(self, plugin: Plugin) -> bool:
        module = plugin.load()
        if any(module is other for other in self._loaded):
            return False
        plugin.module = getattr(module, "__name__", None) or type(module).__module__
        self.manager.register(module, plugin.key)
        callers = self.manager.get_hookcallers(module) or []
        plugin.hooks = tuple(sorted(caller.name for caller in callers if caller.name in HOOKS))
        marked = [
            caller.name
            for caller in callers
            for hook_of in caller.get_hookimpls()
            if hook_of.plugin is module and not hook_of.optionalhook
        ]
        self._check_hooks(module, plugin, marked)
        entries: list[Entry] = []
        others = [other for other in self.manager.get_plugins() if other is not module]
        for hook in plugin.hooks:
            register, close = self._register_for(HOOKS[hook], plugin, entries)
            returned = self.manager.subset_hook_caller(hook, others)(register=register)
            close()
            if returned:
                raise PluginError(
                    f"{hook} returned a {type(returned[0]).__name__}; it should return nothing and "
                    "call register(name, factory)"
                )
        self._loaded.append(module)
        self.entries += entries
        return True

    def _check_hooks(self, module: object, plugin: Plugin, marked: Iterable[str]) -> None:
        for name in marked:
            if name not in HOOKS:
                raise PluginError(
                    f"there is no hook {name!r}{suggestion(name, HOOKS)} "
                    f"(hooks: {', '.join(HOOKS)})"
                )
        for name, value in vars(module).items() if hasattr(module, "__dict__") else ():
            if not callable(value) or not name.startswith("register"):
                continue
            meant = difflib.get_close_matches(name, HOOKS, 1, 0.85)
            if meant and meant[0] not in plugin.hooks:
                problem = (
                    "lacks @hookimpl"
                    if name in HOOKS
                    else f"is no hook; did you mean {meant[0]!r}?"
                )
                raise PluginError(f"function {name!r} {problem}")
        if not plugin.hooks:
            plugin.warn(f"implements no hook (hooks: {', '.join(HOOKS)})")

    def _register_for(
        self, kind: Kind, plugin: Plugin, entries: list[Entry]
    ) -> tuple[Callable[[str, Any], None], Callable[[], None]]:
        """Return the `register` for one plugin's hook, and a function that ends its validity."""
        open_ = True

        def register(name: str, factory: Any) -> None:
            if not open_:
                raise PluginError("register was called after its hook had returned")
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name == "all":
                raise PluginError(
                    "a name consists of letters, digits, '-' and '_', and is not 'all'; "
                    f"got {name!r}"
                )
            if isinstance(factory, str):
                if not _TARGET.fullmatch(factory):
                    raise PluginError(f"{name}: expected 'module:Attr', got {factory!r}")
            elif not callable(factory):
                raise PluginError(
                    f"{name}: expected a class, a function or 'module:Attr', "
                    f"got a {type(factory).__name__}"
                )
            for other in (*self.entries, *entries):
                same = normalized(other.plugin.distribution) == normalized(plugin.distribution)
                if same and (other.kind, other.name) == (kind, name):
                    raise PluginError(
                        f"{WORDS[kind]} {name!r} is registered twice by distribution "
                        f"{plugin.distribution!r} "
                        f"(plugins {other.plugin.name!r} and {plugin.name!r})"
                    )
            entries.append(Entry(kind, name, factory, plugin))

        def close() -> None:
            nonlocal open_
            open_ = False

        return register, close
