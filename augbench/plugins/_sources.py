"""The hash of the source code that can change a component's results.

It covers the module that defines the component and the modules of the same top-level package that
this one imports, transitively, at its top or inside a function. They are found by reading, not by
importing: `if TYPE_CHECKING:` is skipped, and so is what only `importlib` could tell. Of AugBench
itself only augmentations, backbones, data sets and corruptions count; the protocol has a version of
its own.

Code alone counts, in its canonical form (`_canonical.py`): a better comment or docstring leaves
stored results valid.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from augbench.plugins._canonical import canonical, parsed

__all__ = ["record_hash", "source_hash"]

_ROOMS = tuple(
    f"augbench.{room}." for room in ("augmentations", "backbones", "datasets", "corruptions")
)


def source_hash(*modules: str) -> str | None:
    """SHA-256 over the sources of `modules` and what they import; None if one cannot be read."""
    tops = {module.partition(".")[0] for module in modules} - {"augbench"}
    sources: dict[str, bytes] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        spec = None if name in sources else _locate(name)
        source = None if spec is None else _read(spec)
        if spec is None or source is None:
            if name in modules and name not in sources:
                return None
            continue
        tree = parsed(source)
        if tree is None:  # a compiled module
            sources[name] = source
            continue
        sources[name] = canonical(tree)
        pending += [found for found in _imports(tree, spec) if _counts(found, tops)]
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        # A single file's module name is made from its path, which must not enter a key.
        label = name if name.startswith("augbench.") else name.partition(".")[2]
        digest.update(f"{label}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()


def _counts(module: str, tops: set[str]) -> bool:
    return module.partition(".")[0] in tops or module.startswith(_ROOMS)


def record_hash(distribution: str) -> str | None:
    """SHA-256 over a distribution's version and list of files, where its source is not at hand."""
    try:
        found = importlib.metadata.distribution(distribution)
        record = found.read_text("RECORD")
    except Exception:
        return None
    return hashlib.sha256(f"{found.version}\0{record}".encode()).hexdigest() if record else None


def _locate(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module without importing it or its parents."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, importlib.machinery.ModuleSpec):
        return loaded
    parent = name.rpartition(".")[0]
    try:
        if not parent:
            return importlib.util.find_spec(name)
        package = _locate(parent)
        if package is None or package.submodule_search_locations is None:
            return None
        return importlib.machinery.PathFinder.find_spec(name, package.submodule_search_locations)
    except (ImportError, ValueError):
        return None


def _read(spec: importlib.machinery.ModuleSpec) -> bytes | None:
    """The bytes of a module's file; from an archive, its source."""
    try:
        if spec.has_location and spec.origin and Path(spec.origin).is_file():
            return Path(spec.origin).read_bytes().replace(b"\r\n", b"\n")
        text = getattr(spec.loader, "get_source", lambda _: None)(spec.name)
    except (OSError, ImportError):
        return None
    return text.encode() if isinstance(text, str) else None


def _imports(tree: ast.Module, spec: importlib.machinery.ModuleSpec) -> Iterator[str]:
    """The names of the modules that a source imports."""
    package = spec.name if spec.submodule_search_locations is not None else spec.parent or ""
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0]
                base = f"{above}.{base}" if base else above
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if alias.name != "*" and _locate(inner) is not None else base


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that exist for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from _running(other)
        else:
            yield child
            yield from _running(child)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"
