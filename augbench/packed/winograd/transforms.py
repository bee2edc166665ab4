"""The transforms of Winograd's minimal filtering: small matrices, applied to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from augbench.packed.codegen.code import Code

__all__ = ["SIDE", "Matrix", "apply", "both_sides", "matrices", "transposed"]

SIDE = 6
"""Rows and columns of a transformed tile."""

# Where the polynomials of a tile and a kernel are multiplied, with infinity as the last. Of points
# whose inverses are points too, the powers grow least: in float32, the error of a sum along one
# side is 2.3 times that of the plain sum, and 3.4 times with 0, ±1 and ±2.
_POINTS = [Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)]

Matrix = list[list[Fraction]]


@lru_cache(maxsize=8)
def matrices(k: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ [m, 6], G [6, k] and Bᵀ [6, 6] of y = Aᵀ((G·w) ⊙ (Bᵀ·x)), by Toom and Cook.

    A kernel's and the outputs' values are taken at the points, and Bᵀ is the interpolation that
    belongs to them, transposed.
    """
    m = SIDE + 1 - k
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    kernel, inputs = [], []
    for p, rest in zip(_POINTS, others, strict=True):
        scale = Fraction(1)
        for q in rest:
            scale *= p - q
        kernel.append([p**power / scale for power in range(k)])
        inputs.append([*_expanded(rest), Fraction(0)])
    kernel.append([Fraction(power == k - 1) for power in range(k)])
    inputs.append(_expanded(_POINTS))
    outputs = [[*(p**row for p in _POINTS), Fraction(row == m - 1)] for row in range(m)]
    return outputs, kernel, inputs


def _expanded(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial with these roots, the lowest power's first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [
            s - root * c for s, c in zip(shifted, [*coefficients, Fraction(0)], strict=True)
        ]
    return coefficients


def transposed(matrix: Matrix) -> Matrix:
    """Rows for columns."""
    return [list(row) for row in zip(*matrix, strict=True)]


def apply(code: Code, matrix: Matrix, vectors: Sequence[Any]) -> list[Any]:
    """matrix · vectors; rows and columns that differ in signs only share their products.

    These are the ones of two opposite points: their even powers are equal, their odd ones opposite.
    """
    columns = transposed(matrix)
    vectors = list(vectors)
    for a, b in _twins(columns):
        same = [x == y for x, y in zip(columns[a], columns[b], strict=True)]
        vectors[a], vectors[b] = (
            code.build.fadd(vectors[a], vectors[b]),
            code.build.fsub(vectors[a], vectors[b]),
        )
        columns[a], columns[b] = (
            [x if s else Fraction(0) for s, x in zip(same, columns[a], strict=True)],
            [x if not s else Fraction(0) for s, x in zip(same, columns[a], strict=True)],
        )
    rows = transposed(columns)
    twins = dict(_twins(rows))
    made: dict[int, Any] = {}
    for n, row in enumerate(rows):
        if n in made:
            continue
        if n not in twins:
            made[n] = code.weighted(row, vectors)
            continue
        other = rows[twins[n]]
        even = code.weighted([x if x == y else 0 for x, y in zip(row, other, strict=True)], vectors)
        odd = code.weighted([x if x != y else 0 for x, y in zip(row, other, strict=True)], vectors)
        made[n], made[twins[n]] = code.build.fadd(even, odd), code.build.fsub(even, odd)
    return [made[n] for n in range(len(rows))]


def _twins(rows: Matrix) -> list[tuple[int, int]]:
    """The pairs of rows, one behind the other, that differ in some signs and in nothing else."""
    return [
        (n, n + 1)
        for n, (row, other) in enumerate(pairwise(rows))
        if row != other and [*map(abs, row)] == [*map(abs, other)]
    ]


def both_sides(code: Code, matrix: Matrix, square: Sequence[Sequence[Any]]) -> list[Any]:
    """matrix · square · matrixᵀ of a square of vectors, row by row."""
    rows = [apply(code, matrix, row) for row in square]
    columns = [apply(code, matrix, column) for column in zip(*rows, strict=True)]
    return [one for row in zip(*columns, strict=True) for one in row]
