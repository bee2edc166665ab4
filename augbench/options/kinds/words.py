"""Words of a fixed few: one (`Choice`), several (`Words`), yes or no (`Switch`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from augbench.options.kinds.lists import Several, listed
from augbench.options.option import Option
from augbench.options.spelling import in_file

__all__ = ["Choice", "Switch", "Words"]


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


class Words(Several["str | Sequence[str]", "tuple[str, ...]"]):
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
        given = value.split(",") if isinstance(value, str) else listed(value)
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
