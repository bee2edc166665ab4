"""One option of a study: everything that any surface needs to know of it, in one value.

An `Option` is a descriptor that stands in the body of a dataclass. The dataclass's constructor
sends every value through `check`, so an instance never holds one that its option refuses; and type
checkers see in the constructor what may be given, on an instance what is kept.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Literal, Never, TypeVar, cast, dataclass_transform, overload

from augbench.errors import OptionError
from augbench.options.spelling import in_file, named

__all__ = [
    "PREFIXES",
    "Given",
    "Kept",
    "KeyEntry",
    "Option",
    "Part",
    "Shorthand",
    "Training",
    "for_full_finetuning",
    "for_the_head",
    "option_table",
    "options_of",
    "short",
]

Training = Literal["pretraining", "finetuning", "full"]
"""The trainings that have a recipe: pretraining, of a head alone, and of all weights."""

PREFIXES: dict[Training, str] = {"finetuning": "finetune_", "full": "full_", "pretraining": ""}
"""The beginning of the names of each training's settings; every name begins with the last."""

Part = Literal["pretraining", "finetuning", "full", "knn"]
"""The parts of a cell that settings change: its pretraining, and each kind of readout."""

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)
"""The type of the values that may be given for an option, and of that which is kept."""

_Table = TypeVar("_Table")


@dataclass(frozen=True)
class KeyEntry:
    """The entry of an option in a cell's key.

    `part` is what it changes: a change of the pretraining makes every finetuning of it stale.
    `name` is its name there. An option enters the key only where it differs from its default, so
    that a new one leaves the stored cells valid; `always` marks those of protocol version 1, which
    have entered every key since the first cell was stored.
    """

    part: Part
    name: str
    always: bool = False


@dataclass(frozen=True)
class Shorthand:
    """A flag without a value, such as `--no-baseline`: the value that it stands for, and its help.

    Without a help of its own, it is explained by its option's.
    """

    flag: str
    value: Any
    help: str = ""

    @property
    def word(self) -> str:
        """The flag's name in Python."""
        return _word(self.flag)


class Option(ABC, Generic[Given, Kept]):
    """An option of a study, declared as a class attribute: `seeds: Count = Count("--seeds", …)`.

    `flags` take a value, `shorthands` none. `title` is its name in reports; `help` a sentence on
    what it does; `group` a heading of the help. `none_words` say what None does, where that is
    allowed. `variable` names what the command line reads from the environment. `reported` options
    are listed among a report's settings; those that enter a key always are.
    """

    name: str
    metavar = "X"
    repeatable = False
    examples = ("", "")
    """A value as it is written on the command line and in Python, where a message needs one."""

    def __init__(
        self,
        *flags: str,
        default: Kept,
        title: str,
        help: str,
        group: str,
        shorthands: tuple[Shorthand, ...] = (),
        key: KeyEntry | None = None,
        none_words: str = "",
        variable: str = "",
        reported: bool = False,
    ) -> None:
        self.flags = flags
        self.shorthands = shorthands
        self.default = default
        self.title = title
        self.help = help
        self.group = group
        self.key = key
        self.none_words = none_words
        self.variable = variable
        self.reported = reported or key is not None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Kept: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Kept: ...
    def __get__(self, instance: object, owner: type | None = None) -> Kept:
        """The value of an instance; of the class, the default, which is what dataclasses ask."""
        if instance is None:
            return self.default
        return cast(Kept, instance.__dict__[self.name])

    # For type checkers: the constructor takes what `value` may be, and no assignment is allowed.
    def __set__(self, instance: Never, value: Given) -> None:
        instance.__dict__[self.name] = self.check(value)

    @property
    @abstractmethod
    def expected(self) -> str:
        """The type and range in words."""

    def check(self, value: Any) -> Kept:
        """The value as it is kept; raises `OptionError`, one line, for what is not allowed."""
        if value is None and self.none_words:
            return cast(Kept, None)
        return self.read(_plain(value))

    @abstractmethod
    def read(self, value: Any) -> Kept:
        """`check` for a kind of option: any value but an allowed None."""

    def parse(self, text: str) -> Kept:
        """The value that a text of the command line stands for; raises `OptionError`."""
        return self.check(text)

    def refuse(self, value: Any, expected: str = "") -> Never:
        """Raise the error for a value that is not allowed; `expected` replaces the option's."""
        name = named(self.name)
        flag = name.startswith("-")
        example = self.examples[0 if flag else 1]
        such_as = f", such as {example}" if example else ""
        none = "false" if in_file(self.name) else "None"
        orelse = f", or {none} ({self.none_words})" if self.none_words and not flag else ""
        expected = f"{expected or self.expected}{such_as}{orelse}"
        raise OptionError(f"{name}: expected {expected}, got {short(value)}", self.name)

    def show(self, value: Any) -> str:
        """A value as reports show it."""
        return self.none_words if value is None else str(value)

    def write(self, value: Any) -> str:
        """A value as the help shows it: as it is typed."""
        return self.show(value)

    @property
    def about(self) -> str:
        """Range and default, the same wherever the option is explained."""
        return f"{self.expected}; default: {self.write(self.default)}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names in Python: its own, and those of the flags that take a value."""
        flags = (_word(flag) for flag in self.flags if flag.startswith("--"))
        return tuple(dict.fromkeys([self.name, *flags]))

    @property
    def flag(self) -> str:
        """The flag that messages name."""
        long = (flag for flag in self.flags if flag.startswith("--"))
        return next(long, "") or self.shorthands[0].flag


@dataclass_transform()
def option_table(table: type[_Table]) -> type[_Table]:
    """A frozen dataclass of options, as a decorator.

    Type checkers are not told that it is frozen: mypy forgets what a descriptor keeps where a
    frozen dataclass inherits it. `Option.__set__` tells them.
    """
    return dataclass(frozen=True, repr=False)(table)


def options_of(table: type) -> dict[str, Option[Any, Any]]:
    """The options that a dataclass declares, its bases' included, by their names in Python."""
    found = {field.name: inspect.getattr_static(table, field.name, None) for field in fields(table)}
    return {name: option for name, option in found.items() if isinstance(option, Option)}


_AnyOption = TypeVar("_AnyOption", bound=Option[Any, Any])


def for_the_head(option: _AnyOption) -> _AnyOption:
    """The option of pretraining once more, for the head in finetuning: `--finetune-momentum`."""
    return _once_more(option, "finetuning", "finetune", "for the head in finetuning")


def for_full_finetuning(option: _AnyOption) -> _AnyOption:
    """The option of pretraining once more, for finetuning of all weights: `--full-momentum`."""
    return _once_more(option, "full", "full", "for all weights in full finetuning")


def _once_more(option: _AnyOption, part: Part, prefix: str, purpose: str) -> _AnyOption:
    twin = copy(option)
    twin.flags = tuple(flag.replace("--", f"--{prefix}-", 1) for flag in option.flags)
    twin.shorthands = tuple(
        replace(one, flag=f"--{prefix}-{one.flag.removeprefix('--')}", help="")
        for one in option.shorthands
    )
    twin.title = f"{_TITLES[part]} {option.title}"
    twin.help = f"{option.title[0].upper()}{option.title[1:]}, {purpose}."
    if option.key is not None:
        twin.key = replace(option.key, part=part)
    return twin


_TITLES = {"finetuning": "finetuning", "full": "full finetuning"}


def short(value: Any, longest: int = 60) -> str:
    """A value for a message: on one line, and not a page of it."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python refuses to print whole numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _word(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _plain(value: Any) -> Any:
    """The Python value of a scalar of NumPy or torch; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
