"""Options in messages, by the names that their user wrote: `--lr`, `learning_rate` or `lr`.

What is written in a file of TOML is told in TOML: `nesterov = true`, and `false` for None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

__all__ = ["as_written", "in_file", "named", "spelling", "written_as"]

# A context variable, not an argument: messages arise in rooms that know nothing of who asked.
_SPELLING: ContextVar[Mapping[str, str]] = ContextVar(
    "augbench_spelling", default=MappingProxyType({})
)
_IN_FILE: ContextVar[frozenset[str]] = ContextVar("augbench_in_file", default=frozenset())


def named(option: str, value: Any = None) -> str:
    """An option as its user writes it, with a value where one is given.

    `named("batch_size", 2)` is `--batch-size 2` on the command line and `batch_size=2` in Python;
    a switch, `named("download", True)`, is `--download` and `download=True`. In a file they are
    `batch_size = 2` and `download = true`.
    """
    name = _SPELLING.get().get(option, option)
    if value is None:
        return name
    if name.startswith("-"):
        return name if value is True else f"{name} {value}"
    plain = isinstance(value, (bool, int, float))
    if in_file(option):
        return f"{name} = {str(value).lower() if plain else repr(str(value))}"
    return f"{name}={value if plain else repr(str(value))}"


def in_file(option: str) -> bool:
    """True for an option that its user wrote in a file."""
    return option in _IN_FILE.get()


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
def written_as(names: Mapping[str, str], *, in_file: bool = False) -> Iterator[None]:
    """Within this context, messages call these options so; others keep the name they had.

    `in_file` tells that they are written in a file of TOML.
    """
    others = _IN_FILE.get().difference(names)
    tokens = (
        _SPELLING.set({**_SPELLING.get(), **names}),
        _IN_FILE.set(others.union(names) if in_file else others),
    )
    try:
        yield
    finally:
        _SPELLING.reset(tokens[0])
        _IN_FILE.reset(tokens[1])
