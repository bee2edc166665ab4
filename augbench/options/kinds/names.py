"""Specs and names, which something else resolves."""

from __future__ import annotations

import re
from collections.abc import Sequence  # noqa: F401 - named in quoted types
from typing import Any

from augbench.options.kinds.lists import listed
from augbench.options.option import Given, Kept, Option

__all__ = ["Name", "Names", "OptionalName"]


class _Spec(Option[Given, Kept]):
    """A spec such as `mixup:alpha=0.4`, or another name that something else resolves."""

    def __init__(
        self, *flags: str, what: str = "a name", metavar: str = "SPEC", **declared: Any
    ) -> None:
        super().__init__(*flags, **declared)
        self.what = what
        self.metavar = metavar

    @property
    def expected(self) -> str:
        return self.what

    def read(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            self.refuse(value)
        return value


class Name(_Spec[str, str]):
    """A spec or a name."""


class OptionalName(_Spec["str | bool | None", "str | None"]):
    """A spec, or None; False means None as well, and True the default."""

    def read(self, value: Any) -> str | None:
        if isinstance(value, bool):
            return self.default if value else None
        name: str = super().read(value)
        return name


class Names(Option["str | Sequence[str]", "tuple[str, ...]"]):
    """Specs, one or several; with `empty=True`, none as well.

    With `lists=True`, names between commas stand for each of them, as in `mixup,collage`. A comma
    among parameters, or in a path, is part of its spec.
    """

    repeatable = True

    def __init__(
        self,
        *flags: str,
        empty: bool = False,
        lists: bool = False,
        metavar: str = "SPEC",
        **declared: Any,
    ) -> None:
        super().__init__(*flags, **declared)
        self.empty = empty
        self.lists = lists
        self.metavar = metavar

    @property
    def expected(self) -> str:
        return f"{'any number of' if self.empty else 'one or more'} names"

    def read(self, value: Any) -> tuple[str, ...]:
        given = [value] if isinstance(value, str) else listed(value)
        if given is None or not (given or self.empty):
            self.refuse(value)
        if not all(isinstance(name, str) and name.strip() for name in given):
            self.refuse(value)
        if self.lists:
            given = [name for text in given for name in _names(text)]
        return tuple(given)

    def show(self, value: Any) -> str:
        return ", ".join(value) or "none"

    def write(self, value: Any) -> str:
        return ",".join(value) if self.lists and value else self.show(value)


_NAME = re.compile(r"\s*[\w.@+|-]+\s*")


def _names(text: str) -> list[str]:
    """The specs that commas join: those before a colon, behind which parameters begin."""
    head, colon, parameters = text.partition(":")
    names = head.split(",")
    if not all(map(_NAME.fullmatch, names)):  # a path, or nothing between two commas
        return [text]
    return [*(name.strip() for name in names[:-1]), f"{names[-1]}{colon}{parameters}".strip()]
