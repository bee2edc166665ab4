"""Arguments of compiled functions: their names and order, and how each is to lie in memory.

Neither Python nor LLVM sees a mistake in an address or an integer that is handed to machine code,
so arguments are given by name and checked in one place, `ops.layout.call`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property

__all__ = ["Kernel", "Pointer", "Signature"]


@dataclass(frozen=True)
class Pointer:
    """An argument that is the address of numbers of a `dtype`, by torch's name for it.

    Memory is contiguous, in the order in which the kernel counts; a `strided` one may have gaps,
    whose sizes the kernel is told.
    """

    name: str
    dtype: str
    strided: bool = False

    @classmethod
    def parse(cls, text: str, real: str) -> Pointer:
        """Read `name`, of the kernel's own `real` type, `name:int64`, or `name:strided`."""
        name, _, how = text.partition(":")
        if how == "strided":
            return cls(name, real, strided=True)
        return cls(name, how or real)


@dataclass(frozen=True)
class Signature:
    """The name of a compiled function, its pointers, and behind them its 64-bit integers."""

    function: str
    pointers: tuple[Pointer, ...]
    integers: tuple[str, ...]

    @classmethod
    def parse(cls, function: str, pointers: str, integers: str, *, bits: int) -> Signature:
        """Read names between spaces, such as `"out source taps:int64"` and `"rows columns"`."""
        real = f"float{bits}"
        own = tuple(Pointer.parse(text, real) for text in pointers.split())
        return cls(function, own, tuple(integers.split()))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All arguments in the order in which the machine code takes them."""
        return (*(pointer.name for pointer in self.pointers), *self.integers)

    def to_json(self) -> str:
        """One line, which is kept beside the machine code."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str | bytes) -> Signature:
        """Read what `to_json` wrote."""
        fields = json.loads(line)
        pointers = tuple(Pointer(**one) for one in fields["pointers"])
        return cls(fields["function"], pointers, tuple(fields["integers"]))


@dataclass(frozen=True)
class Kernel:
    """Machine code, and what it has to be given: addresses, then integers, in this order."""

    signature: Signature
    run: Callable[..., None]
