"""Arms with settings of their own: `--arm "name=heavy aug=crop-flip+cutmix lr=0.05"`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from augbench.errors import OptionError
from augbench.options.option import Option, options_of, short
from augbench.options.spelling import in_file, named

__all__ = ["ArmSpec", "Arms"]

_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")
_COMMON = frozenset({"root_seed"})
"""Settings that arms must share, or else nothing would be paired."""


@dataclass(frozen=True)
class ArmSpec:
    """An arm as its user wrote it.

    `augmentations` is a spec; `base` one that replaces the study's base, or None. `settings` are
    those that differ from the study's, by their names in Python, sorted.
    """

    name: str
    augmentations: str
    base: str | None
    settings: tuple[tuple[str, Any], ...]


class Arms(
    Option["str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]", "tuple[Any, ...]"]
):
    """Arms, any number; each a text of `key=value` words, or a mapping.

    `table` declares the settings that an arm may have of its own.
    """

    metavar = '"name=NAME aug=SPEC …"'
    repeatable = True
    examples = (
        '"name=heavy aug=mixup lr=0.05"',
        '{"name": "heavy", "aug": "mixup", "lr": 0.05}',
    )

    def __init__(self, *flags: str, table: type, **declared: Any) -> None:
        super().__init__(*flags, **declared)
        self.table = table

    @property
    def expected(self) -> str:
        """See `Option`."""
        return "any number of arms"

    def read(self, value: Any) -> tuple[Any, ...]:
        """See `Option`."""
        given = [value] if isinstance(value, (str, Mapping, ArmSpec)) else value
        if not isinstance(given, Sequence):
            self.refuse(value)
        return tuple(self._arm(one) for one in given)

    def show(self, value: Any) -> str:
        """See `Option`."""
        return ", ".join(arm.name for arm in value) or "none"

    def _arm(self, given: Any) -> ArmSpec:
        if isinstance(given, ArmSpec):
            return given
        words = self._words(given) if isinstance(given, str) else given
        if not isinstance(words, Mapping):
            self.refuse(given)
        found: dict[str, Any] = {}
        for word, value in words.items():
            name, read = self.entry(word, value)
            if name in found:
                raise OptionError(f"{self.flag}: {word!r} is given twice in {short(given)}")
            found[name] = read
        return self.spec(found, given)

    def entry(self, word: str, value: Any) -> tuple[str, Any]:
        """The name in Python of what a word of an arm sets, and the value; raises `OptionError`."""
        own = self.words
        name = own.get(word) or own.get(word.replace("-", "_"))
        options = options_of(self.table)
        if name is None:
            flags = [one.flag.removeprefix("--") for k, one in options.items() if k in own]
            close = get_close_matches(word, own, 1)
            hint = f" (expected one of name, aug, base, {', '.join(flags)})"
            if close:
                hint = f"; did you mean {close[0]!r}?"
            raise OptionError(
                f"{self._name}: {short(word)} is nothing that an arm has of its own{hint}"
            )
        if name in options:
            option = options[name]
            return name, option.parse(value) if isinstance(value, str) else option.check(value)
        if isinstance(value, str) and value.strip():
            return name, value
        raise OptionError(f"{self._name}: expected a text for {word!r}, got {short(value)}")

    def spec(self, found: Mapping[str, Any], given: Any) -> ArmSpec:
        """The arm of what `entry` read; raises `OptionError` where it lacks an augmentation."""
        if "aug" not in found:
            example = 'aug = "mixup"' if in_file(self.name) else self.examples[0]
            raise OptionError(
                f"{self._name}: expected an augmentation, such as {example}, got {short(given)}"
            )
        options = options_of(self.table)
        settings = tuple(sorted((name, found[name]) for name in found if name in options))
        told = " ".join([found["aug"], *(f"{name}={value}" for name, value in settings)])
        return ArmSpec(found.get("name", told), found["aug"], found.get("base"), settings)

    @property
    def _name(self) -> str:
        return named(self.name) if in_file(self.name) else self.flag

    @property
    def words(self) -> Mapping[str, str]:
        """The words that an arm may have, each with the name in Python of what it sets."""
        own = {"name": "name", "aug": "aug", "augmentations": "aug", "base": "base"}
        return own | {
            word: name
            for name, option in options_of(self.table).items()
            if name not in _COMMON
            for word in (*option.spellings, *(one.removeprefix("--") for one in option.flags))
        }

    def _words(self, text: str) -> dict[str, str]:
        words: dict[str, str] = {}
        for part in _WORD.findall(text):
            key, sign, value = part.partition("=")
            if not sign or not key or key in words:
                raise OptionError(
                    f"{self._name}: expected words of the form key=value, each once, such as "
                    f"{self.examples[0]}, got {short(part)} in {short(text)}"
                )
            whole = re.fullmatch(r"""(['"])(.*)\1""", value)
            words[key] = whole[2] if whole else value
        return words
