"""The kinds of options: what may be given, what is kept, and how a range reads."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from augbench.options.option import Option
from augbench.options.spelling import in_file

__all__ = [
    "Choice",
    "Count",
    "Folder",
    "Name",
    "Names",
    "Number",
    "OptionalCount",
    "OptionalFolder",
    "OptionalName",
    "OptionalNumber",
    "Shares",
    "Sizes",
    "Switch",
    "Words",
]


_Given = TypeVar("_Given", contravariant=True)
_Kept = TypeVar("_Kept", covariant=True)


MOST = 10**9
"""The largest number of anything, unless an option says otherwise.

A training of so many steps takes weeks, and no data set holds so many images: a larger number is a
slip, and a sum or an array over it would end in no message that helps.
"""


class _Whole(Option[_Given, _Kept]):
    """Whole numbers from `least` to `most`; `zero_words` say what 0 does, where that is special."""

    metavar = "N"

    def __init__(
        self,
        *flags: str,
        least: int = 1,
        most: int = MOST,
        zero_words: str = "",
        **declared: Any,
    ) -> None:
        super().__init__(*flags, **declared)
        self.least = least
        self.most = most
        self.zero_words = zero_words

    @property
    def expected(self) -> str:
        return f"a whole number of {self.least} or more"

    def read(self, value: Any) -> Any:
        if not _is_whole(value) or value < self.least:
            self.refuse(value)
        if value > self.most:
            self.refuse(value, f"a whole number from {self.least} to {self.most:,}")
        return value

    def show(self, value: Any) -> str:
        return self.zero_words if value == 0 and self.zero_words else super().show(value)

    def parse(self, text: str) -> Any:
        try:
            value = int(text)
        except ValueError:
            self.refuse(text)
        return self.read(value)


class Count(_Whole[int, int]):
    """A whole number."""


class OptionalCount(_Whole["int | None", "int | None"]):
    """A whole number, or None for what the machine suggests."""


class _AnyNumber(Option[_Given, _Kept]):
    """Finite numbers above 0, and below `below`; with `zero=True`, 0 as well.

    `zero_words` say what 0 does, where that is special.
    """

    def __init__(
        self,
        *flags: str,
        zero: bool = False,
        below: float = math.inf,
        zero_words: str = "",
        **declared: Any,
    ) -> None:
        super().__init__(*flags, **declared)
        self.zero, self.below, self.zero_words = zero, below, zero_words

    @property
    def expected(self) -> str:
        least = "a number of 0 or more" if self.zero else "a number above 0"
        return least if self.below == math.inf else f"{least} and below {self.below:g}"

    def read(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(value)
        try:
            number = float(value)
        except OverflowError:  # a whole number that no float holds
            self.refuse(value)
        if not math.isfinite(number) or value < 0 or (value == 0 and not self.zero):
            self.refuse(value)
        if value >= self.below:
            self.refuse(value)
        return number

    def show(self, value: Any) -> str:
        return self.zero_words if value == 0 and self.zero_words else super().show(value)

    def write(self, value: Any) -> str:
        return super().show(value)

    def parse(self, text: str) -> Any:
        try:
            value = float(text)
        except ValueError:
            self.refuse(text)
        return self.read(value)


class Number(_AnyNumber[float, float]):
    """A number."""


class OptionalNumber(_AnyNumber["float | None", "float | None"]):
    """A number, or None for what another option says."""


class _Several(Option[_Given, _Kept]):
    """Several numbers, or perhaps none."""

    def show(self, value: Any) -> str:
        return ", ".join(map(str, value)) or "none"

    def write(self, value: Any) -> str:
        return self.show(value).replace(", ", ",")


class Sizes(_Several["int | Sequence[int]", "tuple[int, ...]"]):
    """Whole numbers of 1 or more, one or several; with `empty=True`, none as well."""

    metavar = "N,N,…"
    examples = ("1,2,4", "[1, 2, 4]")

    def __init__(
        self,
        *flags: str,
        empty: bool = False,
        most: int = MOST,
        examples: tuple[str, str] = examples,
        **declared: Any,
    ) -> None:
        super().__init__(*flags, **declared)
        self.empty = empty
        self.most = most
        self.examples = examples

    @property
    def expected(self) -> str:
        return f"whole numbers of 1 or more{', or none' if self.empty else ''}"

    def read(self, value: Any) -> tuple[int, ...]:
        given = [value] if _is_whole(value) else _listed(value)
        if given is None or not (given or self.empty):
            self.refuse(value)
        if not all(_is_whole(size) and size >= 1 for size in given):
            self.refuse(value)
        if any(size > self.most for size in given):
            self.refuse(value, f"whole numbers from 1 to {self.most:,}")
        return tuple(int(size) for size in given)

    def parse(self, text: str) -> tuple[int, ...]:
        try:
            sizes = [int(part) for part in text.split(",")]
        except ValueError:
            self.refuse(text)
        return self.read(sizes)

    def show(self, value: Any) -> str:
        return super().show([value] if _is_whole(value) else value)


class Shares(_Several["float | Sequence[float]", "tuple[float, ...]"]):
    """Shares of a whole, each above 0 and below 1, in rising order; or none."""

    metavar = "X,X,…"
    examples = ("0.5,0.75", "[0.5, 0.75]")

    @property
    def expected(self) -> str:
        return "numbers above 0 and below 1 in rising order, or none"

    def read(self, value: Any) -> tuple[float, ...]:
        given = [value] if isinstance(value, float) else _listed(value)
        if given is None or not all(isinstance(one, float) and 0 < one < 1 for one in given):
            self.refuse(value)
        if any(one >= other for one, other in pairwise(given)):
            self.refuse(value)
        return tuple(given)

    def parse(self, text: str) -> tuple[float, ...]:
        try:
            shares = [float(part) for part in text.split(",") if text.strip()]
        except ValueError:
            self.refuse(text)
        return self.read(shares)


class _Spec(Option[_Given, _Kept]):
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
        given = [value] if isinstance(value, str) else _listed(value)
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


class Choice(Option[str, str]):
    """One of a few words."""

    def __init__(self, *flags: str, words: Sequence[str], **declared: Any) -> None:
        super().__init__(*flags, **declared)
        self.choices = tuple(words)
        self.metavar = f"[{'|'.join(words)}]"

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.choices)}"

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            self.refuse(value)
        return value


class Words(_Several["str | Sequence[str]", "tuple[str, ...]"]):
    """One or several of a few words, each once."""

    examples = ("linear,knn", '["linear", "knn"]')

    def __init__(self, *flags: str, words: Sequence[str], **declared: Any) -> None:
        super().__init__(*flags, **declared)
        self.choices = tuple(words)
        self.metavar = "WORD,WORD,…"

    @property
    def expected(self) -> str:
        return f"one or several of {', '.join(self.choices)}"

    def read(self, value: Any) -> tuple[str, ...]:
        given = value.split(",") if isinstance(value, str) else _listed(value)
        if not given or not all(isinstance(word, str) for word in given):
            self.refuse(value)
        words = tuple(dict.fromkeys(word.strip() for word in given))
        if not set(words) <= set(self.choices):
            self.refuse(value)
        return words


class Switch(Option[bool, bool]):
    """Yes or no."""

    @property
    def expected(self) -> str:
        return "true or false" if in_file(self.name) else "True or False"

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            self.refuse(value)
        return value

    def parse(self, text: str) -> bool:
        words = {"true": True, "false": False}
        return self.read(words.get(text.lower(), text))

    def show(self, value: Any) -> str:
        return "yes" if value else "no"

    def write(self, value: Any) -> str:
        return str(value)


class _AnyFolder(Option[_Given, _Kept]):
    """Paths of folders, there already or not."""

    metavar = "FOLDER"

    @property
    def expected(self) -> str:
        return "a folder"

    def read(self, value: Any) -> Any:
        if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
            self.refuse(value)
        try:
            path = Path(value)
            is_file = path.is_file()
        except (OSError, TypeError, ValueError):  # of bytes, too long, or with a zero byte
            self.refuse(value)
        if is_file:
            self.refuse(str(path))
        return path


class Folder(_AnyFolder["str | os.PathLike[str]", Path]):
    """A folder."""


class OptionalFolder(_AnyFolder["str | os.PathLike[str] | None", "Path | None"]):
    """A folder, or None for what the environment names."""


_NAME = re.compile(r"\s*[\w.@+|-]+\s*")


def _names(text: str) -> list[str]:
    """The specs that commas join: those before a colon, behind which parameters begin."""
    head, colon, parameters = text.partition(":")
    names = head.split(",")
    if not all(map(_NAME.fullmatch, names)):  # a path, or nothing between two commas
        return [text]
    return [*(name.strip() for name in names[:-1]), f"{names[-1]}{colon}{parameters}".strip()]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(value: Any) -> list[Any] | None:
    """The entries of a list, a tuple, a set or an array, as plain values; None for a scalar."""
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        return None
    return [entry.item() if getattr(entry, "ndim", None) == 0 else entry for entry in value]
