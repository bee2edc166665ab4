"""Functions in LLVM's language: their arguments, integers, and memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from llvmlite import ir

from augbench.packed.codegen.processor import machine
from augbench.packed.codegen.signature import Signature

__all__ = ["INT", "Builder"]

INT = ir.IntType(64)
_POINTER = ir.PointerType()


class Builder:
    """A function of addresses and integers under construction.

    `pointers` and `integers` name its arguments (see `signature.py`), which are found in `given`;
    `real` is the type of the numbers, of which a vector holds `lanes`. Variables live in memory
    here, and in registers once LLVM is done.
    """

    def __init__(
        self, name: str, pointers: str, integers: str, *, bits: int, lanes: int | None = None
    ) -> None:
        full = f"{name}_{machine().vector_bytes}_{machine().sums}"
        self.signature = Signature.parse(full, pointers, integers, bits=bits)
        self.module = ir.Module()
        count = len(self.signature.pointers)
        kinds = [_POINTER] * count + [INT] * len(self.signature.integers)
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), full)
        # No two arguments overlap. Without this promise LLVM reloads inputs after each store.
        for pointer in function.args[:count]:
            pointer.add_attribute("noalias")
        self.given = SimpleNamespace(**dict(zip(self.signature.names, function.args, strict=True)))
        self.build = ir.IRBuilder(function.append_basic_block("entry"))
        self.real = ir.FloatType() if bits == 32 else ir.DoubleType()
        self._size = bits // 8
        self.byte = ir.IntType(8)
        self.lanes = lanes or machine().vector_bytes // self._size
        # Variables belong into the first block, whatever block first needs them.
        begin = function.append_basic_block("begin")
        self.build.branch(begin)
        self.build.position_at_end(begin)

    @property
    def vector(self) -> ir.VectorType:
        """The type of a vector."""
        return ir.VectorType(self.real, self.lanes)

    @contextlib.contextmanager
    def in_lanes(self, lanes: int) -> Iterator[None]:
        """Use vectors of `lanes` lanes."""
        before, self.lanes = self.lanes, lanes
        yield
        self.lanes = before

    def narrowed(self, lanes: int) -> contextlib.AbstractContextManager[None]:
        """Use vectors of `lanes` lanes at most."""
        return self.in_lanes(min(self.lanes, lanes))

    # Numbers

    def sum(self, *values: Any) -> Any:
        """The sum of integers."""
        total = self._int(values[0])
        for value in values[1:]:
            total = self.build.add(total, self._int(value))
        return total

    def product(self, *values: Any) -> Any:
        """The product of integers."""
        total = self._int(values[0])
        for value in values[1:]:
            total = self.build.mul(total, self._int(value))
        return total

    def difference(self, a: Any, b: Any) -> Any:
        """a − b."""
        return self.build.sub(self._int(a), self._int(b))

    def clamp(self, value: Any, *, least: Any = None, most: Any = None) -> Any:
        """The integer, raised to `least`, then lowered to `most`."""
        build = self.build
        if least is not None:
            least = self._int(least)
            value = build.select(build.icmp_signed("<", value, least), least, value)
        if most is not None:
            value = build.select(build.icmp_signed(">", value, most), most, value)
        return value

    def splat(self, number: Any) -> Any:
        """A vector of one number."""
        first = self.build.insert_element(
            ir.Constant(self.vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.build.shuffle_vector(first, ir.Constant(self.vector, ir.Undefined), zeros)

    def _int(self, value: Any) -> Any:
        return ir.Constant(INT, value) if isinstance(value, int) else value

    # Memory

    def at(self, pointer: Any, offset: Any, kind: Any = None) -> Any:
        """The address of the number (or other `kind`) at an `offset` behind a pointer."""
        return self.build.gep(pointer, [self._int(offset)], source_etype=kind or self.real)

    def load(self, address: Any, kind: Any = None, mask: Any = None) -> Any:
        """The value at an address; with a mask, only these lanes are read, the rest is zero."""
        kind = kind or self.vector
        align = self._align(kind)
        if mask is None:
            return self.build.load(address, align=align, typ=kind)
        function = self.intrinsic(
            "llvm.masked.load", kind, [_POINTER, ir.IntType(32), mask.type, kind]
        )
        return self.build.call(
            function,
            [address, ir.Constant(ir.IntType(32), align), mask, ir.Constant(kind, None)],
        )

    def gathered(self, addresses: Sequence[Any]) -> Any:
        """A vector of the numbers at some addresses."""
        kind = ir.VectorType(self.real, len(addresses))
        vector = ir.Constant(kind, ir.Undefined)
        for n, address in enumerate(addresses):
            number = self.load(address, self.real)
            vector = self.build.insert_element(vector, number, ir.Constant(ir.IntType(32), n))
        return vector

    def store(self, value: Any, address: Any, mask: Any = None) -> None:
        """Write a value; with a mask, only these lanes."""
        align = self._align(value.type)
        if mask is None:
            self.build.store(value, address, align=align)
            return
        function = self.intrinsic(
            "llvm.masked.store",
            ir.VoidType(),
            [value.type, _POINTER, ir.IntType(32), mask.type],
            of=value.type,
        )
        self.build.call(function, [value, address, ir.Constant(ir.IntType(32), align), mask])

    def variable(self, value: Any) -> Any:
        """A variable, with its first value."""
        # In the entry block LLVM turns memory into a register; inside a loop each round would take
        # more of the stack.
        with self.build.goto_entry_block():
            place = self.build.alloca(value.type)
        self.build.store(value, place)
        return place

    def get(self, variable: Any) -> Any:
        """The value that a variable holds."""
        return self.build.load(variable, typ=variable.allocated_type)

    def set(self, variable: Any, value: Any) -> None:
        """Give a variable another value."""
        self.build.store(value, variable)

    def _align(self, kind: Any) -> int:
        element = kind.element if isinstance(kind, ir.VectorType) else kind
        return max(1, element.width // 8) if isinstance(element, ir.IntType) else self._size

    # LLVM's own

    def intrinsic(self, name: str, result: Any, arguments: Sequence[Any], of: Any = None) -> Any:
        """One of LLVM's own functions, whose full name holds the type that it is `of`."""
        kind = of or result
        letter = "f" if isinstance(kind.element, ir.FloatType | ir.DoubleType) else "i"
        width = {ir.FloatType: 32, ir.DoubleType: 64}.get(type(kind.element)) or kind.element.width
        full = f"{name}.v{kind.count}{letter}{width}"
        full += ".p0" if "masked" in name else ""
        if full in self.module.globals:
            return self.module.globals[full]
        return ir.Function(self.module, ir.FunctionType(result, arguments), full)
