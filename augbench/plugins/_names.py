"""Resolve names: bare ones where they are unambiguous, qualified ones always."""

from __future__ import annotations

from collections.abc import Iterable

from augbench.errors import UnknownNameError, UsageError
from augbench.plugins.components import WORDS, Kind
from augbench.plugins.discovery import Plugin, normalized
from augbench.plugins.loading import Entry
from augbench.plugins.suggestion import suggestion

__all__ = ["Names"]


class Names:
    """The components of a registry by name."""

    def __init__(self, plugins: Iterable[Plugin], entries: Iterable[Entry]) -> None:
        self._plugins = tuple(plugins)
        self._entries = tuple(entries)

    def of(self, kind: Kind) -> list[Entry]:
        """All components of a kind, as they were registered."""
        return [entry for entry in self._entries if entry.kind == kind]

    def _owners(self, kind: Kind, name: str) -> list[Entry]:
        """Return the candidates for a bare name: AugBench's own component, or else all others."""
        entries = [entry for entry in self.of(kind) if entry.name == name]
        return [entry for entry in entries if entry.plugin.builtin] or entries

    def shown(self, entry: Entry) -> str:
        """The bare name if it means this component alone, else the qualified one."""
        alone = self._owners(entry.kind, entry.name) == [entry]
        return entry.name if alone else entry.qualified

    def warn_of_clashes(self) -> None:
        """Tell every plugin whose component cannot have its bare name."""
        for entry in self._entries:
            owners = self._owners(entry.kind, entry.name)
            if entry not in owners:
                entry.plugin.warn(
                    f"{entry.name!r} is a built-in {WORDS[entry.kind]}: "
                    f"this one is {entry.qualified!r}"
                )
            elif len(owners) > 1:
                others = ", ".join(o.plugin.distribution for o in owners if o is not entry)
                entry.plugin.warn(
                    f"{WORDS[entry.kind]} {entry.name!r} is registered by {others} too: "
                    f"this one is {entry.qualified!r}"
                )

    def find(self, kind: Kind, spec: str) -> tuple[Entry, str | None]:
        """The component that a spec names, and its parameters' text (None without a colon)."""
        parts = [part.strip() for part in spec.split(":", 2)]
        for entry in self.of(kind):
            owner = normalized(entry.plugin.distribution)
            if len(parts) > 1 and [normalized(parts[0]), parts[1]] == [owner, entry.name]:
                return entry, spec.split(":", 2)[2] if len(parts) == 3 else None
        owners = self._owners(kind, parts[0])
        if len(owners) == 1:
            return owners[0], spec.split(":", 1)[1] if len(parts) > 1 else None
        if owners:
            names = " or ".join(repr(entry.qualified) for entry in owners)
            raise UsageError(
                f"{WORDS[kind]} {parts[0]!r} is registered by {len(owners)} distributions: "
                f"write {names}"
            )
        raise self._unknown(kind, parts)

    def _unknown(self, kind: Kind, parts: list[str]) -> UnknownNameError:
        known, name = sorted(map(self.shown, self.of(kind))), parts[0]
        owners = {normalized(plugin.distribution) for plugin in self._plugins}
        if len(parts) > 1 and normalized(name) in owners:
            name = f"{parts[0]}:{parts[1]}"
        other = next((e.kind for e in self._entries if e.name == name), None)
        hint = (
            f" ({name!r} is {_with_article(WORDS[other])})"
            if other
            else suggestion(name, {*known, *(entry.qualified for entry in self.of(kind))})
        )
        there = ", ".join(known) or "none"
        return UnknownNameError(
            f"unknown {WORDS[kind]} {name!r}{hint} (there are: {there}){self.absent()}"
        )

    def absent(self) -> str:
        """` (1 plugin failed to load: …)`, or nothing."""
        text = ""
        for status, verb in (("failed", "failed to load"), ("blocked", "blocked")):
            names = [p.name for p in self._plugins if p.status == status]
            if names:
                count = f"{len(names)} plugin{'s' * (len(names) > 1)}"
                text += f" ({count} {verb}: {', '.join(names)})"
        return text


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
