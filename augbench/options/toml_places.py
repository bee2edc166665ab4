"""Read TOML, and find the line and column of everything in it.

`tomllib` keeps no positions, and neither does any library that reads or writes TOML for Python. So
it reads the values, and a scanner walks over the same text, which is known to be valid then.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

__all__ = ["Path", "Position", "TomlError", "read_toml"]

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value: `("arm", 0, "lr")`."""

Position = tuple[int, int]
"""Line and column, both from 1."""

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+ | \#[^\n]*)
    | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\])*" | '[^']*')
    | (?P<mark>[\[\]{}=,\n])
    | (?P<word>[^\s\[\]{}=,"'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class TomlError(ValueError):
    """A text that is no TOML, with the `position` where that shows, or None."""

    def __init__(self, reason: str, position: Position | None) -> None:
        super().__init__(reason)
        self.position = position


def read_toml(text: str) -> tuple[dict[str, Any], Mapping[Path, Position]]:
    """The values of a document, and where each stands: its key, or, in an array, the value itself.

    Raises `TomlError`.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
        return document, _Scanner(text).places()
    except tomllib.TOMLDecodeError as error:
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise TomlError(reason[:1].lower() + reason[1:], _place_of(error, text)) from None
    except RecursionError:
        raise TomlError("nested too deeply", None) from None
    except ValueError as error:  # a number of thousands of digits
        raise TomlError(str(error), None) from None


def _place_of(error: tomllib.TOMLDecodeError, text: str) -> Position | None:
    """The position that an error's message tells."""
    if str(error).endswith("(at end of document)"):
        return text.count("\n") + 1, len(text) - text.rfind("\n")
    found = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    return (int(found[1]), int(found[2])) if found else None


class _Scanner:
    """Walks over a valid document, token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup != "blank"]
        self._next = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]  # their starts
        self._found: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # how many tables an array of tables has by now

    def places(self) -> Mapping[Path, Position]:
        """The position of everything in the document."""
        table: Path = ()
        while (token := self._peek()) is not None:
            if token[0] == "\n":
                self._next += 1
            elif token[0] == "[":
                table = self._header()
            else:
                self._pair(table)
        return {path: self._position(start) for path, start in self._found.items()}

    def _position(self, start: int) -> Position:
        line = bisect_right(self._lines, start)
        return line, start - self._lines[line - 1] + 1

    def _peek(self) -> re.Match[str] | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> re.Match[str]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _note(self, path: Path, start: int) -> None:
        self._found.setdefault(path, start)

    def _header(self) -> Path:
        """Read `[table]` or `[[table]]`; returns the path of the table that it opens."""
        start = self._take().start()
        several = self._tokens[self._next][0] == "["
        self._next += several
        keys = self._key("]")
        self._next += 1 + several
        path: Path = ()
        for key in keys[:-1]:
            path = self._last((*path, key))
        path = (*path, keys[-1])
        self._note(path, start)
        if several:
            self._tables[path] = self._tables.get(path, 0) + 1
            path = self._last(path)
            self._note(path, start)
        return path

    def _last(self, path: Path) -> Path:
        """The table that a header's key means: of an array of tables, the last one."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _key(self, end: str) -> list[str]:
        """Read a key, perhaps dotted, up to the mark that ends it, which is left."""
        first = self._next
        while self._tokens[self._next][0] != end:
            self._next += 1
        text = "".join(token[0] for token in self._tokens[first : self._next])
        keys: list[str] = []
        value = tomllib.loads(f"{text}=0")
        while isinstance(value, dict):
            ((key, value),) = value.items()
            keys.append(key)
        return keys

    def _pair(self, table: Path) -> None:
        start = self._tokens[self._next].start()
        path = table
        for key in self._key("="):
            path = (*path, key)
            self._note(path, start)
        self._next += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._note(path, self._tokens[self._next].start())
        opening = self._take()[0]
        if opening not in ("[", "{"):
            while (token := self._peek()) is not None and token.lastgroup != "mark":
                self._next += 1  # a date and a time may have a space between them
            return
        index = 0
        while (token := self._peek()) is not None and token[0] not in ("]", "}"):
            if token[0] in ("\n", ","):
                index += token[0] == ","
                self._next += 1
            elif opening == "[":
                self._value((*path, index))
            else:
                self._pair(path)
        self._next += 1
