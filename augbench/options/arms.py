"""Arms with settings of their own: `--arm "name=heavy aug=crop-flip+cutmix lr=0.05"`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from augbench.errors import OptionError
from augbench.options.option import Option, options_of, short

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
        own = {"name": "name", "aug": "aug", "augmentations": "aug", "base": "base"}
        options = options_of(self.table)
        own |= {
            word: name
            for name, option in options.items()
            if name not in _COMMON
            for word in (*option.spellings, *(one.removeprefix("--") for one in option.flags))
        }
        found: dict[str, Any] = {}
        for word, value in words.items():
            name = own.get(word)
            if name is None:
                flags = [one.flag.removeprefix("--") for k, one in options.items() if k in own]
                close = get_close_matches(word, own, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise OptionError(
                    f"{self.flag}: {word!r} is nothing that an arm has of its own{hint} (expected "
                    f"one of name, aug, base, {', '.join(flags)})"
                )
            if name in found:
                raise OptionError(f"{self.flag}: {word!r} is given twice in {short(given)}")
            if name in options:
                option = options[name]
                found[name] = option.parse(value) if isinstance(value, str) else option.check(value)
            elif isinstance(value, str) and value.strip():
                found[name] = value
            else:
                raise OptionError(f"{self.flag}: expected a text for {word!r}, got {short(value)}")
        if "aug" not in found:
            raise OptionError(
                f"{self.flag}: expected aug=SPEC, such as {self.examples[0]}, got {short(given)}"
            )
        settings = tuple(sorted((name, found[name]) for name in found if name in options))
        told = " ".join([found["aug"], *(f"{name}={value}" for name, value in settings)])
        return ArmSpec(found.get("name", told), found["aug"], found.get("base"), settings)

    def _words(self, text: str) -> dict[str, str]:
        words: dict[str, str] = {}
        for part in _WORD.findall(text):
            key, sign, value = part.partition("=")
            if not sign or not key or key in words:
                raise OptionError(
                    f"{self.flag}: expected words of the form key=value, each once, such as "
                    f"{self.examples[0]}, got {short(part)} in {short(text)}"
                )
            whole = re.fullmatch(r"""(['"])(.*)\1""", value)
            words[key] = whole[2] if whole else value
        return words
