"""Several numbers at once: sizes, shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence  # noqa: F401 - named in quoted types
from itertools import pairwise
from typing import Any

from augbench.options.kinds.numbers import MOST, is_whole
from augbench.options.option import Given, Kept, Option

__all__ = ["Several", "Shares", "Sizes", "listed"]


class Several(Option[Given, Kept]):
    """Several numbers, or perhaps none."""

    def show(self, value: Any) -> str:
        return ", ".join(map(str, value)) or "none"

    def write(self, value: Any) -> str:
        return self.show(value).replace(", ", ",")


class Sizes(Several["int | Sequence[int]", "tuple[int, ...]"]):
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
        given = [value] if is_whole(value) else listed(value)
        if given is None or not (given or self.empty):
            self.refuse(value)
        if not all(is_whole(size) and size >= 1 for size in given):
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
        return super().show([value] if is_whole(value) else value)


class Shares(Several["float | Sequence[float]", "tuple[float, ...]"]):
    """Shares of a whole, each above 0 and below 1, in rising order; or none."""

    metavar = "X,X,…"
    examples = ("0.5,0.75", "[0.5, 0.75]")

    @property
    def expected(self) -> str:
        return "numbers above 0 and below 1 in rising order, or none"

    def read(self, value: Any) -> tuple[float, ...]:
        given = [value] if isinstance(value, float) else listed(value)
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


def listed(value: Any) -> list[Any] | None:
    """The entries of a list, a tuple, a set or an array, as plain values; None for a scalar."""
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        return None
    return [entry.item() if getattr(entry, "ndim", None) == 0 else entry for entry in value]
