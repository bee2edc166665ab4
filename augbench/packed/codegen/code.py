"""Functions in LLVM's language, written as nested loops over vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llvmlite import ir

from augbench.packed.codegen.builder import INT, Builder

__all__ = ["INT", "Code"]


class Code(Builder):
    """A function under construction: what is done with vectors, and how often.

    Loops are contexts, and nest as they read:

    ```python
    code = Code("double", "out source", "count", bits=32)

    def write(x, mask):  # at each vector; the last one's lanes behind the end are masked
        value = code.load(code.at(code.given.source, x), mask=mask)
        code.store(code.build.fadd(value, value), code.at(code.given.out, x), mask)

    code.each(code.given.count, write)
    ```
    """

    def done(self) -> Code:
        """End the function."""
        self.build.ret_void()
        return self

    # Vectors

    def multiply_add(self, a: Any, b: Any, variable: Any) -> None:
        """variable += a · b, rounded once."""
        function = self.intrinsic("llvm.fma", self.vector, [self.vector] * 3)
        self.set(variable, self.build.call(function, [a, b, self.get(variable)]))

    def weighted(self, factors: Sequence[Any], vectors: Sequence[Any]) -> Any:
        """The sum of vectors, each times a constant; those times 0 are left out."""
        terms = [(float(f), v) for f, v in zip(factors, vectors, strict=True) if f]
        terms.sort(key=lambda term: term[0] != 1)  # what needs no product comes first
        kind = vectors[0].type
        total = None
        for factor, vector in terms:
            constant = ir.Constant(kind, [factor] * kind.count)
            if total is None:
                total = vector if factor == 1 else self.build.fmul(vector, constant)
            elif factor in (1, -1):
                total = (self.build.fadd if factor == 1 else self.build.fsub)(total, vector)
            else:
                function = self.intrinsic("llvm.fma", kind, [kind] * 3)
                total = self.build.call(function, [vector, constant, total])
        return ir.Constant(kind, None) if total is None else total

    def rectified(self, vector: Any) -> Any:
        """Negative numbers raised to zero; what is no number stays none."""
        return self.where_positive(vector, vector)

    def where_positive(self, vector: Any, value: Any) -> Any:
        """The value where a vector is above zero, or no number; elsewhere zero."""
        zero = ir.Constant(self.vector, None)
        return self.build.select(self.build.fcmp_ordered("<=", vector, zero), zero, value)

    def total(self, vector: Any) -> Any:
        """The sum over the lanes, in whatever order is fastest: the same for each call."""
        function = self.intrinsic(
            "llvm.vector.reduce.fadd", self.real, [self.real, self.vector], of=self.vector
        )
        zero = ir.Constant(self.real, 0.0)
        return self.build.call(function, [zero, vector], fastmath=("reassoc",))

    def store_totals(self, rows: Sequence[tuple[Any, Sequence[Any]]]) -> None:
        """Store the sums over the lanes of vectors: at each address, those of its vectors in a row.

        Pairs of vectors are folded into one until a lane each is left: 3 instructions a sum, where
        `total` needs 8.
        """
        longest = max(len(vectors) for _, vectors in rows)
        if longest > self.lanes:
            self.store_totals([(address, vectors[: self.lanes]) for address, vectors in rows])
            self.store_totals(
                [(self.at(address, self.lanes), vectors[self.lanes :]) for address, vectors in rows]
            )
            return
        room = 1 << (longest - 1).bit_length()  # lanes for one row
        fitting = self.lanes // room
        for start in range(0, len(rows), fitting):
            some = rows[start : start + fitting]
            slots: list[Any] = [None] * self.lanes
            for n, (_, vectors) in enumerate(some):
                slots[n * room : n * room + len(vectors)] = vectors
            totals = self._folded(slots)
            for n, (address, vectors) in enumerate(some):
                lanes = [n * room <= lane < n * room + len(vectors) for lane in range(self.lanes)]
                mask = ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), lanes)
                self.store(totals, self.at(address, -n * room), mask)

    def _folded(self, slots: list[Any]) -> Any:
        """A vector whose lane i is the sum over the lanes of the vector in slot i."""
        # With 4 lanes and vectors a b c d, first a meets c and b meets d:
        #     (a0 + a2, a1 + a3, c0 + c2, c1 + c3)  and the same of b and d;
        # then these two meet:  (Σa, Σb, Σc, Σd).
        distance = self.lanes // 2
        while distance:
            # Of each 2·distance lanes, the lower half is for one vector, the upper for the other.
            lower = [
                n if not n & distance else self.lanes + n - distance for n in range(self.lanes)
            ]
            upper = [n + distance for n in lower]
            slots = [
                self._fold(a, b, lower, upper)
                for a, b in zip(slots[:distance], slots[distance:], strict=True)
            ]
            distance //= 2
        return slots[0]

    def _fold(self, a: Any, b: Any, lower: Sequence[int], upper: Sequence[int]) -> Any:
        if a is None:  # the slots of a row are filled from the first on
            return None
        b = a if b is None else b
        return self.build.fadd(self.shuffle(a, b, lower), self.shuffle(a, b, upper))

    def shuffle(self, a: Any, b: Any, picked: Sequence[int]) -> Any:
        """A vector of lanes of two, numbered throughout."""
        numbers = ir.Constant(ir.VectorType(ir.IntType(32), len(picked)), list(picked))
        return self.build.shuffle_vector(a, b, numbers)

    def joined(self, vectors: Sequence[Any]) -> Any:
        """One vector of the lanes of 1, 2, 4 … vectors, one after the other."""
        vectors = list(vectors)
        while len(vectors) > 1:
            lanes = range(2 * vectors[0].type.count)
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.shuffle(a, b, lanes) for a, b in pairs]
        return vectors[0]

    def split(self, vector: Any, count: int) -> list[Any]:
        """The reverse of `joined`."""
        lanes = vector.type.count // count
        return [
            self.shuffle(vector, vector, range(n * lanes, (n + 1) * lanes)) for n in range(count)
        ]

    def _first_lanes(self, count: Any) -> Any:
        """The mask of the first `count` lanes."""
        kind = ir.VectorType(INT, self.lanes)
        numbers = ir.Constant(kind, list(range(self.lanes)))
        counts = self.build.insert_element(
            ir.Constant(kind, ir.Undefined), count, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        counts = self.build.shuffle_vector(counts, ir.Constant(kind, ir.Undefined), zeros)
        return self.build.icmp_signed("<", numbers, counts)

    # Loops

    @contextlib.contextmanager
    def loop(self, start: Any, stop: Any) -> Iterator[Any]:
        """For each integer from `start` up to, not including, `stop`."""
        position, stop = self.variable(self._int(start)), self._int(stop)
        with self._while(lambda: self.build.icmp_signed("<", self.get(position), stop)):
            index = self.get(position)
            yield index
            self.set(position, self.sum(index, 1))

    @contextlib.contextmanager
    def run(self, position: Any, stop: Any, size: int) -> Iterator[Any]:
        """While `size` more fit before `stop`: the variable `position` moves on by `size`."""

        def fits() -> Any:
            end = self.sum(self.get(position), size)
            return self.build.icmp_signed("<=", end, stop)

        with self._while(fits):
            yield self.get(position)
            self.set(position, self.sum(self.get(position), size))

    @contextlib.contextmanager
    def masked_run(self, position: Any, stop: Any) -> Iterator[tuple[Any, Any]]:
        """While anything is left before `stop`: where it begins, and the mask of its lanes."""
        with self._while(lambda: self.build.icmp_signed("<", self.get(position), stop)):
            start = self.get(position)
            yield start, self._first_lanes(self.difference(stop, start))
            self.set(position, self.sum(start, self.lanes))

    def each(self, stop: Any, write: Callable[[Any, Any], None], *, start: Any = 0) -> None:
        """`write` at each vector of a run up to `stop`; its last lanes come with a mask."""
        position = self.variable(self._int(start))
        with self.run(position, stop, self.lanes) as x:
            write(x, None)
        with self.masked_run(position, stop) as (x, mask):
            write(x, mask)

    @contextlib.contextmanager
    def _while(self, condition: Callable[[], Any]) -> Iterator[None]:
        build = self.build
        head, body, after = (build.append_basic_block() for _ in range(3))
        build.branch(head)
        build.position_at_end(head)
        build.cbranch(condition(), body, after)
        build.position_at_end(body)
        yield
        build.branch(head)
        build.position_at_end(after)
