"""Find plugins: entry points of installed distributions, and those that `--plugin` names."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from augbench import __version__
from augbench.errors import PluginError, UsageError
from augbench.options import named as option_name

__all__ = ["BUILTIN", "Plugin", "Status", "installed", "named", "normalized"]

GROUP = "augbench"
BUILTIN = "augbench.plugins.builtin"

Status = Literal["loaded", "warning", "failed", "blocked"]


@dataclass(eq=False)
class Plugin:
    """One plugin: its origin, and the outcome of loading it.

    `origin` is an entry point's value, a module's name, or a file's path; `module` the module that
    was loaded from there. `explicit` tells that `--plugin` named it.
    """

    name: str
    distribution: str
    version: str
    origin: str
    load: Callable[[], object]
    explicit: bool = False
    module: str = ""
    hooks: tuple[str, ...] = ()
    status: Status = "loaded"
    reasons: list[str] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def builtin(self) -> bool:
        """True for AugBench's own plugin, whose bare names nobody else can take."""
        return self.origin == BUILTIN

    @property
    def key(self) -> str:
        """A name that no other plugin has."""
        return f"{self.distribution}:{self.name}:{self.origin}"

    def block(self, reason: str) -> None:
        """Mark the plugin as left out at the user's request."""
        self.status = "blocked"
        self.reasons.append(reason)

    def warn(self, reason: str) -> None:
        """Note what a user should know, once."""
        if self.status == "loaded":
            self.status = "warning"
        if reason not in self.reasons:
            self.reasons.append(reason)

    def fail(self, reason: str, error: BaseException | None = None) -> None:
        """Note why none of the plugin's components is available."""
        self.status, self.error = "failed", error
        self.reasons.insert(0, reason)


def normalized(distribution: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed() -> list[Plugin]:
    """Every entry point of the group, the built-in ones first, then by distribution and name.

    Distributions are read one by one: `importlib.metadata.entry_points` raises for all of them
    when the files of one are damaged.
    """
    found = {BUILTIN: _from_module(BUILTIN, "builtin", "augbench", __version__)}
    owners: dict[str, object] = {}
    for distribution in importlib.metadata.distributions():
        try:
            if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
                continue
        except Exception:
            continue  # damaged, and perhaps no plugin at all
        name, version = _name_and_version(distribution)
        # Of two copies of one distribution, Python imports the first on the path.
        if owners.setdefault(normalized(name), distribution) is not distribution:
            continue
        try:
            points = [point for point in distribution.entry_points if point.group == GROUP]
        except Exception as error:
            found[name] = _damaged(name, version, error)
            continue
        for point in points:
            if point.value == BUILTIN:
                continue
            owner = name or point.module.partition(".")[0]
            found[f"{owner}:{point.name}"] = Plugin(
                point.name, owner, version, point.value, point.load
            )
    return sorted(found.values(), key=lambda p: (not p.builtin, normalized(p.distribution), p.name))


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    try:
        return distribution.name or "", distribution.version or ""
    except Exception:
        return "", ""  # no readable METADATA; the entry points may do


def _damaged(name: str, version: str, error: Exception) -> Plugin:
    def load() -> object:
        raise PluginError(f"its entry_points.txt cannot be read ({error})")

    return Plugin(name or "unknown", name or "unknown", version, "entry_points.txt", load)


def named(text: str) -> Plugin:
    """The plugin that `--plugin FILE_OR_MODULE` names; raises `UsageError` if there is none."""
    if text.endswith(".py") or "/" in text or "\\" in text:
        return _from_file(Path(text).expanduser().resolve())
    if not all(part.isidentifier() for part in text.split(".")):
        raise UsageError(
            f"{option_name('plugins')}: expected a .py file, a module, or no:NAME to block one, "
            f"got {text!r}"
        )
    distribution, version = _owner(text)
    plugin = _from_module(text, text, distribution, version)
    plugin.explicit = True
    return plugin


def _from_module(module: str, name: str, distribution: str, version: str) -> Plugin:
    return Plugin(name, distribution, version, module, lambda: importlib.import_module(module))


def _owner(module: str) -> tuple[str, str]:
    """The distribution that a module belongs to, and its version ("" where there is none)."""
    top = module.partition(".")[0]
    names = [top]
    try:
        names += importlib.metadata.packages_distributions().get(top, [])
    except Exception:
        names = [top]  # some distribution is damaged; the module's own name will do
    for name in names:
        try:
            found = importlib.metadata.distribution(name)
            return found.name or name, found.version or ""
        except Exception:
            continue
    return top, ""


def _from_file(path: Path) -> Plugin:
    if not path.is_file() or path.suffix != ".py":
        what = "no such file" if not path.exists() else "not a Python file"
        raise UsageError(
            f"{option_name('plugins', path)}: {what}; expected a .py file or a module's name"
        )
    if normalized(path.stem) == "augbench":
        raise UsageError(
            f"{option_name('plugins', path)}: rename the file, 'augbench' is AugBench's own name"
        )
    return Plugin(path.stem, path.stem, "", str(path), lambda: _load_file(path), explicit=True)


class _FileLoader(importlib.machinery.SourceFileLoader):
    """Compiles each time: bytecode caches tell two edits within a second apart by size only."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file as it stands now, past any bytecode cache."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _load_file(path: Path) -> ModuleType:
    """Import a file under a name made from its path, the same in every process.

    A file that has not changed is not run again, so that its classes stay the same objects.
    """
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"augbench_plugin_{re.sub(r'[^0-9A-Za-z]', '_', path.stem)}_{place}"
    source = path.read_bytes()
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__augbench_source__", None) == source:
        return known
    loader = _FileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__augbench_source__"] = source
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
