"""One number: whole (`Count`) or not (`Number`)."""

from __future__ import annotations

import math
from typing import Any

from augbench.options.option import Given, Kept, Option

__all__ = ["MOST", "Count", "Number", "OptionalCount", "OptionalNumber", "is_whole"]

MOST = 10**9
"""The largest number of anything, unless an option says otherwise.

A training of so many steps takes weeks, and no data set holds so many images: a larger number is a
slip, and a sum or an array over it would end in no message that helps.
"""


class _Whole(Option[Given, Kept]):
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
        if not is_whole(value) or value < self.least:
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


class _AnyNumber(Option[Given, Kept]):
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


def is_whole(value: Any) -> bool:
    """True for an `int` that is no `bool`."""
    return isinstance(value, int) and not isinstance(value, bool)
