"""From a registered component to its factory: import it, construct it, hash its source."""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from typing import Any

from augbench.errors import ContractError, ParameterError, PluginError
from augbench.plugins import _sources
from augbench.plugins.components import CONSTRUCTED, WORDS, ParameterValue
from augbench.plugins.isolation import PLUGIN_FAILURES, describe, watched
from augbench.plugins.loading import Entry
from augbench.plugins.suggestion import suggestion

__all__ = ["Factories"]

_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Factories:
    """Imports components when they are asked for, each once."""

    def __init__(self) -> None:
        self._imported: dict[Entry, Any] = {}
        self._hashes: dict[Entry, str] = {}

    def get(self, entry: Entry) -> Any:
        """The class or function itself.

        Raises `PluginError` if it cannot be imported, or is a function in the place of a class.
        """
        factory = entry.factory
        if isinstance(factory, str):
            if entry not in self._imported:
                self._imported[entry] = self._import(entry)
            factory = self._imported[entry]
        if entry.kind in CONSTRUCTED and _is_an_object(factory):
            raise PluginError(
                f"{entry.kind} {entry.qualified!r}: expected a class, got an object of the class "
                f"{type(factory).__name__!r}: register the class itself, or a function that makes "
                "the object"
            )
        if entry.kind in CONSTRUCTED and _mixes_itself(factory):
            attribute = "sources" if entry.kind == "augmentation" else "operations"
            raise PluginError(
                f"{entry.kind} {entry.qualified!r}: expected a class, whose objects are called "
                f"with images, got the function {factory.__name__!r}: write it as the method "
                f"`__call__(self, …, *, rng)` of a class with an attribute `{attribute}` "
                "(see docs/plugins.md)"
            )
        return factory

    def _import(self, entry: Entry) -> Any:
        with watched(entry.plugin.builtin) as remarks:
            try:
                found = _imported(entry.factory)
            except PLUGIN_FAILURES as error:
                raise PluginError(
                    f"{WORDS[entry.kind]} {entry.qualified!r} cannot be imported: {describe(error)}"
                ) from error
        for remark in remarks:
            entry.plugin.warn(remark)
        return found

    def construct(self, entry: Entry, name: str, parameters: dict[str, ParameterValue]) -> Any:
        """The object, which messages call `name`; `ParameterError` if it refuses a value."""
        factory = self.get(entry)
        with watched(entry.plugin.builtin) as remarks:
            try:
                instance = factory(**parameters)
            except (ValueError, TypeError) as error:
                raise ParameterError(f"{name}: {' '.join(str(error).split())}") from error
            except PLUGIN_FAILURES as error:
                raise PluginError(f"{name} cannot be constructed: {describe(error)}") from error
        for remark in remarks:
            entry.plugin.warn(remark)
        if entry.kind == "corruption":
            if not callable(instance):
                raise ContractError(
                    f"{name}: expected a callable object, got a {type(instance).__name__}"
                )
            return instance
        sources = getattr(instance, "sources", None)
        if not isinstance(sources, int) or sources < 1 or not callable(instance):
            raise ContractError(
                f"{name}: expected a callable object with an integer class attribute `sources` of "
                f"at least 1, got {_lack(factory, instance)}"
            )
        return instance

    def source_hash(self, entry: Entry) -> str:
        """The hash of the code behind a component; "" with a warning if nothing can be read."""
        if entry not in self._hashes:
            modules = _defining_modules(entry, self.get(entry))
            found = _sources.source_hash(*modules)
            if found is None:
                found = _sources.record_hash(entry.plugin.distribution)
            if found is None:
                warnings.warn(
                    f"the source code of {entry.qualified!r} cannot be read: results that are "
                    "stored will not be computed again when it changes",
                    stacklevel=3,
                )
            self._hashes[entry] = found or ""
        return self._hashes[entry]


def _lack(factory: Any, instance: Any) -> str:
    """What was made instead of an augmentation, and what to write."""
    what = f"a {type(instance).__name__}"
    if not hasattr(instance, "sources") and inspect.isfunction(factory):
        return (
            f"{what} from the function {factory.__name__!r}: it is called once, without images, "
            "and returns the object that is called with them; one that changes images itself has "
            "to be the method `__call__(self, …, *, rng)` of a class (see docs/plugins.md)"
        )
    if not hasattr(instance, "sources"):
        return (
            f"{what} without it: write `sources = 1` into the class if it takes one image, "
            "`sources = 2` for a pair (see docs/plugins.md)"
        )
    if not callable(instance):
        return f"{what} without the method `__call__(self, …, *, rng)` (see docs/plugins.md)"
    return f"{what} with sources = {instance.sources!r}"


def _is_an_object(factory: Any) -> bool:
    """True for an augmentation, or a network of torch's, in the place of its class."""
    made = not isinstance(factory, type) and not inspect.isroutine(factory)
    return made and (hasattr(factory, "sources") or hasattr(factory, "forward"))


def _mixes_itself(factory: Any) -> bool:
    """True for a function of images; what makes an augmentation has defaults or annotations."""
    if not inspect.isfunction(factory):
        return False
    parameters = inspect.signature(factory).parameters
    return "rng" in parameters or any(
        one.default is one.empty
        and one.kind not in _ANY_NUMBER
        and (one.annotation is one.empty or "Tensor" in str(one.annotation))
        for one in parameters.values()
    )


def _imported(target: str) -> Any:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        if not hasattr(found, name):
            near = suggestion(name, [n for n in vars(found) if not n.startswith("_")])
            raise PluginError(f"{module!r} has no attribute {path!r}{near}")
        found = getattr(found, name)
    if not callable(found):
        raise PluginError(f"{target!r} is a {type(found).__name__}, expected a class or a function")
    return found


def _defining_modules(entry: Entry, factory: Any) -> set[str]:
    """Return the modules with the code: the factory's own, and the one that bound it, if any."""
    modules = set()
    while isinstance(factory, functools.partial):
        modules.add(_registering_module(entry))
        factory = factory.func
    if not isinstance(factory, type) and not hasattr(factory, "__code__"):
        modules.add(_registering_module(entry))  # an object with a state that was given there
    return modules | {getattr(factory, "__module__", None) or _registering_module(entry)}


def _registering_module(entry: Entry) -> str:
    if isinstance(entry.factory, str):
        return entry.factory.partition(":")[0]
    return entry.plugin.module
