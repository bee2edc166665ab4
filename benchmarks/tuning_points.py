"""The search for the columns of `augbench/tuning/points.py`: multipliers and shifts.

    python benchmarks/tuning_points.py

One column after the other, the multiplier and the shift are taken with which it spreads best
together with the worst of the columns before it, by the centred discrepancy in two dimensions:
the mean over 7, 15, 31 and 63 points, relative to random ones. It prints the table that stands
there, with the worst correlation of any two columns, and of two of a plain Halton sequence.
"""

from __future__ import annotations

import numpy as np

COUNTS = (7, 15, 31, 63)
"""The points beside the default of 8, 16, 32 and 64 trials."""
COLUMNS = 24
SHIFTS = 16


def primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % one for one in found):
            found.append(number)
        number += 1
    return found


def inverse(index: np.ndarray, base: int, multiplier: int) -> np.ndarray:
    value, scale = np.zeros(len(index)), 1.0
    while index.any():
        scale /= base
        value += index % base * multiplier % base * scale
        index = index // base
    return value


def terms(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hickernell's (1998) centred discrepancy, its factors for one column [..., n], [..., n, n]."""
    far = np.abs(x - 0.5)
    pairs = far[..., :, None] + far[..., None, :] - np.abs(x[..., :, None] - x[..., None, :])
    return 1 + far / 2 - far**2 / 2, 1 + pairs / 2


def discrepancy(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> np.ndarray:
    n = one[0].shape[-1]
    first = (13 / 12) ** 2 - 2 / n * (one[0] * other[0]).sum(-1)
    return first + (one[1] * other[1]).sum((-1, -2)) / n**2


def usual(n: int) -> float:
    """The mean discrepancy of n random points."""
    rng = np.random.default_rng(n)
    draws = [terms(rng.random((400, n))) for _ in range(2)]
    return float(discrepancy(*draws).mean())


def columns() -> list[tuple[int, int, float]]:
    scale = {n: usual(n) for n in COUNTS}
    chosen: list[tuple[int, int, float]] = []
    factors: list[dict[int, tuple[np.ndarray, ...]]] = []
    for base in primes(COLUMNS):
        best = None
        for multiplier in range(1, base):
            plain = inverse(np.arange(max(COUNTS)), base, multiplier)
            for k in range(SHIFTS):
                shift = (k + 0.5) / SHIFTS
                x = (plain + shift) % 1
                own = {n: terms(x[:n]) for n in COUNTS}
                others = factors or [own]
                cost = max(
                    np.mean([discrepancy(own[n], other[n]) / scale[n] for n in COUNTS])
                    for other in others
                )
                if best is None or cost < best[0] - 1e-9:
                    best = cost, multiplier, shift, own
        assert best is not None
        chosen.append((base, best[1], best[2]))
        factors.append(best[3])
    return chosen


def worst_correlation(table: list[tuple[int, int, float]], n: int) -> float:
    x = np.array([(inverse(np.arange(n), b, m) + s) % 1 for b, m, s in table])
    return float(np.abs(np.corrcoef(x) - np.eye(len(x))).max())


if __name__ == "__main__":
    table = columns()
    for row in table:
        print(f"    {row},")
    plain = [(base, 1, 0.0) for base, _, _ in table]
    for n in COUNTS:
        for name, one in (("this table", table), ("plain Halton", plain)):
            some = [f"{worst_correlation(one[:k], n):.2f}" for k in (4, 8, COLUMNS)]
            print(f"{n} points, {name}: of 4, 8 and {COLUMNS} columns {', '.join(some)}")
