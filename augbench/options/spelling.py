"""Options in messages, by the names that their user wrote: `--lr`, `learning_rate` or `lr`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

__all__ = ["as_written", "named", "spelling", "written_as"]

# A context variable, not an argument: messages arise in rooms that know nothing of who asked.
_SPELLING: ContextVar[Mapping[str, str]] = ContextVar(
    "augbench_spelling", default=MappingProxyType({})
)


def named(option: str, value: Any = None) -> str:
    """An option as its user writes it, with a value where one is given.

    `named("batch_size", 2)` is `--batch-size 2` on the command line and `batch_size=2` in Python;
    a switch, `named("download", True)`, is `--download` and `download=True`.
    """
    name = _SPELLING.get().get(option, option)
    if value is None:
        return name
    if name.startswith("-"):
        return name if value is True else f"{name} {value}"
    return f"{name}={value if isinstance(value, (bool, int, float)) else repr(str(value))}"


def as_written(word: str) -> str:
    """A word of Python as its user wrote it: on the command line, every word is a flag."""
    names = _SPELLING.get()
    if word in names or not any(name.startswith("--") for name in names.values()):
        return names.get(word, word)
    return f"--{word.replace('_', '-')}"


def spelling() -> dict[str, str]:
    """The names in use that differ from those in Python, to be taken to another process."""
    return dict(_SPELLING.get())


@contextmanager
def written_as(names: Mapping[str, str]) -> Iterator[None]:
    """Within this context, messages call these options so; others keep the name they had."""
    token = _SPELLING.set({**_SPELLING.get(), **names})
    try:
        yield
    finally:
        _SPELLING.reset(token)
