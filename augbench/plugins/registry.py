"""The registry: all components of all plugins, and the resolution of their names."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from augbench.errors import ParameterError, PluginError, UsageError
from augbench.options import named as option_name
from augbench.plugins import parameters
from augbench.plugins._factories import Factories
from augbench.plugins._names import Names
from augbench.plugins.components import CONSTRUCTED, WORDS, Component, Kind, ParameterValue
from augbench.plugins.discovery import Plugin, Status, installed, named, normalized
from augbench.plugins.loading import Entry, Loader
from augbench.plugins.parameters import Parameter
from augbench.plugins.pipelines import Member, Pipeline, Stage, expanded, parsed
from augbench.plugins.suggestion import suggestion
from augbench.text import encodable

__all__ = ["ComponentInfo", "Parameter", "PluginInfo", "Registry"]


@dataclass(frozen=True)
class PluginInfo:
    """One plugin and the outcome of loading it.

    `status` is `loaded`, `warning` (loaded, but see `reason`), `failed` or `blocked`. `origin` is
    an entry point's value, a module or a file.
    """

    name: str
    distribution: str
    version: str
    origin: str
    hooks: tuple[str, ...]
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class ComponentInfo:
    """One component as a list shows it.

    `name` is for studies: the bare name where that is enough, else the qualified one.
    `status` is `ok`, or `failed` if the component cannot be imported, with the `reason`.
    """

    kind: Kind
    name: str
    qualified_name: str
    parameters: tuple[Parameter, ...]
    summary: str
    distribution: str
    version: str
    status: str = "ok"
    reason: str = ""


class Registry:
    """All components of the plugins that could be loaded; made by `Registry.load`."""

    arguments: tuple[str, ...] = ()
    """Arguments for `load` in another process, to find the same plugins: files are absolute."""

    def __init__(self, plugins: Iterable[Plugin], entries: Iterable[Entry]) -> None:
        self._plugins = tuple(plugins)
        self._names = Names(self._plugins, entries)
        self._factories = Factories()
        self._made: dict[Component, Any] = {}  # objects resolved and not yet asked for

    @classmethod
    def load(cls, plugins: Sequence[str] = (), *, strict: bool = False) -> Registry:
        """Load every installed plugin, and those that `plugins` names.

        Each of `plugins` is a `.py` file or a module to load, or `no:NAME` to block the installed
        plugin, or all those of the distribution, of that name. An installed plugin that fails is
        listed in `plugins` and `problems`, and the others go on; with `strict`, or the environment
        variable `AUGBENCH_STRICT_PLUGINS=1`, whatever would be listed in `problems` raises
        `PluginError`. One that `plugins` names and that fails raises in any case.
        """
        strict = strict or os.environ.get("AUGBENCH_STRICT_PLUGINS", "") not in ("", "0", "false")
        loader = Loader()
        found = installed()
        _block(found, [text[3:] for text in plugins if text.startswith("no:")])
        for plugin in found:
            if plugin.status != "blocked":
                if not loader.load(plugin):
                    plugin.warn("another plugin has loaded the same module")
                _raise_if_unfit(plugin, strict)
        arguments = []
        for text in plugins:
            if text.startswith("no:"):
                arguments.append(text)
                continue
            plugin = named(text)
            arguments.append(plugin.origin)
            if loader.load(plugin):  # else it is there already, as an installed plugin
                found.append(plugin)
                _raise_if_unfit(plugin, strict)
        registry = cls(found, loader.entries)
        registry.arguments = tuple(arguments)
        registry._names.warn_of_clashes()
        for plugin in found:
            _raise_if_unfit(plugin, strict)
        return registry

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin found, the failed and the blocked ones included."""
        return tuple(
            PluginInfo(
                p.name, p.distribution, p.version, p.origin, p.hooks, p.status, "; ".join(p.reasons)
            )
            for p in self._plugins
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each plugin that failed or deserves a warning."""
        return tuple(_line(p) for p in self._plugins if p.status in ("failed", "warning"))

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The name of every component, sorted; `resolve` takes each."""
        return tuple(sorted(map(self._names.shown, self._names.of(kind))))

    def describe(self, kind: Kind) -> list[ComponentInfo]:
        """Every component with its parameters, in the order of `names`; this imports each."""
        infos = [self._info(entry) for entry in self._names.of(kind)]
        return sorted(infos, key=lambda info: info.name)

    def info(self, kind: Kind, spec: str) -> ComponentInfo:
        """The component that a spec names, whatever parameters it sets; imports this one alone."""
        return self._info(self._names.find(kind, spec)[0])

    def registered(self, plugin: PluginInfo) -> list[tuple[Kind, str]]:
        """The kind and qualified name of every component that a plugin registers."""
        key = (plugin.distribution, plugin.name, plugin.origin)
        return [
            (kind, entry.qualified)
            for kind in WORDS
            for entry in self._names.of(kind)
            if (entry.plugin.distribution, entry.plugin.name, entry.plugin.origin) == key
        ]

    def resolve(
        self, kind: Kind, spec: str, given: Mapping[str, ParameterValue] | None = None
    ) -> Component:
        """Read `[DISTRIBUTION:]NAME[:[VALUE,]key=value,...]`.

        VALUE sets the first declared parameter. `given` are parameters that the caller sets, such
        as the strength of a corruption: the spec must leave them out.

        Raises `UnknownNameError` for a name that is not there, `ParameterError` for a parameter
        that is malformed, undeclared or refused, and `PluginError` for a component that cannot be
        imported.
        """
        entry, text = self._names.find(kind, spec)
        factory, name = self._factories.get(entry), self._names.shown(entry)
        declared = parameters.declared(kind, factory)
        try:
            values = parameters.values(declared, text, given)
        except ParameterError as error:
            raise ParameterError(f"{WORDS[kind]} {name!r}: {error}") from None
        component = Component(
            kind=kind,
            name=entry.name,
            parameters=tuple(sorted(values.items())),
            distribution=entry.plugin.distribution,
            version=entry.plugin.version,
            source_hash=self._factories.source_hash(entry),
            varied=parameters.varied(declared, values),
            # A path may hold bytes that are no text, and a label is stored, printed and exported.
            label=encodable(
                parameters.label(
                    name,
                    declared,
                    values,
                    parameters.written if kind in CONSTRUCTED else parameters.format_value,
                )
            ),
        )
        if kind in CONSTRUCTED:
            # Only its constructor can say whether it takes these values.
            made = self._factories.construct(entry, f"{WORDS[kind]} {name!r}", values)
            self._made[component] = made
        return component

    def pipelines(self, spec: str) -> list[Pipeline]:
        """Read a spec of augmentations, such as `crop-flip+mixup:alpha=0.1/0.3`: see `pipelines`.

        A grid gives several pipelines. Raises as `resolve` does.
        """
        try:
            return [self._pipeline(one) for one in expanded(spec)]
        except UsageError as error:
            if re.search(r"\d[eE]\+\d", spec):
                hint = "; a number with a + needs quotes, as in mixup:alpha='1e+3'"
                raise type(error)(f"{error}{hint}") from None
            raise

    def _pipeline(self, spec: str) -> Pipeline:
        return Pipeline(
            tuple(
                Stage(
                    tuple(
                        Member(self.resolve("augmentation", name), probability)
                        for name, probability in members
                    )
                )
                for members in parsed(spec)
            )
        )

    def create(self, component: Component) -> Any:
        """Make the augmentation or corruption, or bind the parameters of any other factory.

        The first call gives the object that `resolve` made, later ones a new one each.
        Raises `UsageError` if the component is not installed any more, or if its source is not the
        one that it was resolved with (a component without a source hash is not compared).
        """
        if component in self._made:
            return self._made.pop(component)
        found = [
            entry
            for entry in self._names.of(component.kind)
            if entry.name == component.name
            and normalized(entry.plugin.distribution) == normalized(component.distribution)
        ]
        name = f"{WORDS[component.kind]} '{component.distribution}:{component.name}'"
        if not found:
            raise UsageError(f"{name} is not installed any more{self._names.absent()}")
        entry, values = found[0], dict(component.parameters)
        if component.source_hash and component.source_hash != self._factories.source_hash(entry):
            versions = [component.version or "no version", entry.plugin.version or "no version"]
            raise UsageError(
                f"the source code of {name} has changed since the study was planned "
                f"({' → '.join(versions)}): plan it again"
            )
        if component.kind in CONSTRUCTED:
            return self._factories.construct(entry, name, values)
        return functools.partial(self._factories.get(entry), **values)

    def _info(self, entry: Entry) -> ComponentInfo:
        listed: tuple[Parameter, ...] = ()
        summary = reason = ""
        try:
            factory = self._factories.get(entry)
            listed = parameters.declared(entry.kind, factory)
            if entry.kind == "corruption":  # no study sets the strength: all are measured
                listed = tuple(one for one in listed if one.name != "strength")
            summary = _summary(factory)
        except PluginError as error:
            reason = str(error)
        return ComponentInfo(
            kind=entry.kind,
            name=self._names.shown(entry),
            qualified_name=entry.qualified,
            parameters=listed,
            summary=summary,
            distribution=entry.plugin.distribution,
            version=entry.plugin.version,
            status="failed" if reason else "ok",
            reason=reason,
        )


def _block(plugins: Sequence[Plugin], names: Sequence[str]) -> None:
    for name in names:
        matching = [
            p for p in plugins if name == p.name or normalized(name) == normalized(p.distribution)
        ]
        if not matching:
            known = {p.name for p in plugins} | {p.distribution for p in plugins}
            raise UsageError(
                f"{option_name('plugins', f'no:{name}')}: no such plugin is installed"
                f"{suggestion(name, known)}"
            )
        for plugin in matching:
            plugin.block(option_name("plugins", f"no:{name}"))


def _raise_if_unfit(plugin: Plugin, strict: bool) -> None:
    unfit = ("failed", "warning") if strict else ("failed",) if plugin.explicit else ()
    if plugin.status in unfit:
        raise PluginError(_line(plugin)) from plugin.error


def _line(plugin: Plugin) -> str:
    owner = f"{plugin.distribution} {plugin.version}".strip()
    verb = " failed to load" if plugin.status == "failed" else ""
    return f"plugin {plugin.name!r} ({owner}){verb}: {'; '.join(plugin.reasons)}"


def _summary(factory: Any) -> str:
    while isinstance(factory, functools.partial):
        factory = factory.func
    return next(iter((getattr(factory, "__doc__", None) or "").strip().splitlines()), "")
