"""Coverage of the intervals and error rates of the tests, from simulated studies.

    python benchmarks/statistics_coverage.py --repetitions 20000 --studies 2000

prints the tables of `docs/statistics.md`: each procedure by itself, then whole verdicts
(`whole_verdict.py`) and tests of a mean (`mean_tests.py`). Each line simulates studies with a known
truth and counts how often a procedure is right (coverage) or wrong (error). A simulated study has
seeds whose luck is shared between the arms, noise that is correlated along the curve and larger
where labels are few, and a learning curve like that of a small network on digits.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import mean_tests
import numpy as np
import scipy
import whole_verdict

from augbench.statistics import (
    across_datasets,
    aulc,
    clopper_pearson,
    family_test,
    gap_closed,
    label_multipliers,
    mean_interval,
    paired_difference,
    probability_of_improvement,
    sign_flip,
    two_way_interval,
)

SIZES = (1, 2, 4, 8, 16, 32, 64)
RULER = (128, 256)
CURVE = 0.97 - 0.45 * np.exp(-np.arange(9) / 2.5)  # the true baseline at SIZES, then RULER
NOISE = 0.03 * np.exp(-np.arange(9) / 4) + 0.004

Rng = np.random.Generator
Noise = Callable[[Rng, tuple[int, ...]], np.ndarray]


def normal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def skewed(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.exponential(size=shape) - 1


def heavy(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(3, size=shape) / math.sqrt(3)


@dataclass(frozen=True)
class Rate:
    """`hits` of `repetitions` simulated studies, and what is claimed."""

    what: str
    claim: str
    hits: int
    repetitions: int

    @property
    def share(self) -> float:
        return self.hits / self.repetitions

    def line(self) -> str:
        low, high = clopper_pearson(self.hits, self.repetitions)
        return f"| {self.what} | {self.claim} | {self.share:.3f} | {low:.3f} to {high:.3f} |"


def arm(rng: Rng, n: int, luck: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """One arm [n, K]: the mean curve, the seed's shared luck, noise correlated along the curve."""
    count = len(mean)
    own = np.cumsum(rng.standard_normal((n, count)), axis=1) / np.sqrt(np.arange(1, count + 1))
    return mean + (luck + own) * NOISE[:count] / math.sqrt(2)


def rate(what: str, claim: str, repetitions: int, trial: Callable[[Rng], bool], seed: int) -> Rate:
    rng = np.random.default_rng(seed)
    return Rate(what, claim, sum(trial(rng) for _ in range(repetitions)), repetitions)


def mean_coverage(n: int, noise: Noise, repetitions: int, seed: int = 1) -> Rate:
    def trial(rng: Rng) -> bool:
        interval = mean_interval(noise(rng, (n,)))
        return interval.lower <= 0 <= interval.upper

    return rate(f"t interval, n = {n}, {noise.__name__}", "0.95", repetitions, trial, seed)


def bootstrap_coverage(n: int, repetitions: int, seed: int = 2) -> Rate:
    """The percentile bootstrap of a mean, which is not used."""

    def trial(rng: Rng) -> bool:
        x = rng.standard_normal(n)
        low, high = np.quantile(x[rng.integers(n, size=(999, n))].mean(axis=1), [0.025, 0.975])
        return bool(low <= 0 <= high)

    return rate(f"(percentile bootstrap, n = {n})", "0.95", repetitions, trial, seed)


def area_coverage(n: int, repetitions: int, seed: int = 3) -> Rate:
    gain = np.linspace(0.04, 0, 7)
    truth = float(aulc([gain], SIZES)[0])

    def trial(rng: Rng) -> bool:
        luck = rng.standard_normal((n, 1))
        plain, treated = (arm(rng, n, luck, CURVE[:7] + g) for g in (0, gain))
        interval = paired_difference(aulc(treated, SIZES), aulc(plain, SIZES))
        return interval.lower <= truth <= interval.upper

    return rate(f"ΔAULC, paired t, n = {n}", "0.95", repetitions, trial, seed)


def multiplier_coverage(
    n: int, size: int, repetitions: int, *, ruler: bool = True, seed: int = 4
) -> Rate:
    """The augmentation is worth 1.6 times the labels at every size; among the numbers given."""
    knots = np.arange(9.0)
    gained = np.interp(knots[:7] + math.log2(1.6), knots, CURVE)
    k = SIZES.index(size)

    def trial(rng: Rng) -> bool:
        luck = rng.standard_normal((n, 1))
        base, treated = arm(rng, n, luck, CURVE), arm(rng, n, luck, gained)
        extra = {"ruler": base[:, 7:], "ruler_sizes": RULER} if ruler else {}
        m = label_multipliers(treated[:, [k]], base[:, [k]], (size,), **others(base, k, extra))[0]
        if m.withheld:  # the baseline's means fall there: another study
            return trial(rng)
        return m.lower <= 1.6 * (1 + 1e-9) and m.upper >= 1.6 * (1 - 1e-9)

    def others(base: np.ndarray, k: int, extra: dict) -> dict:
        """Every other size as the ruler, so that only one multiplier is computed."""
        rest = [j for j in range(9 if extra else 7) if j != k]
        return {"ruler": base[:, rest], "ruler_sizes": [2**j for j in rest]}

    what = f"label multiplier at s = {size}, n = {n}" + ("" if ruler else ", censored (no ruler)")
    return rate(what, "≥ 0.95", repetitions, trial, seed)


def gap_coverage(n: int, repetitions: int, seed: int = 5) -> Rate:
    def trial(rng: Rng) -> bool:
        luck = rng.standard_normal((n, 1))
        base, treated, top = (
            arm(rng, n, luck, np.array([level]))[:, 0] for level in (0.7, 0.75, 0.95)
        )
        result = gap_closed(treated, base, top)
        return result.lower <= 0.2 <= result.upper

    return rate(f"share of the gap closed, n = {n}", "0.95", repetitions, trial, seed)


def improvement_coverage(n: int, repetitions: int, seed: int = 6) -> Rate:
    truth = 0.5 * math.erfc(-0.5 / math.sqrt(2))  # P(N(0.5, 1) > 0)

    def trial(rng: Rng) -> bool:
        result = probability_of_improvement(rng.normal(0.5, 1, n))
        return result.lower <= truth <= result.upper

    return rate(f"probability of improvement, n = {n}", "≥ 0.95", repetitions, trial, seed)


def two_way_coverage(n: int, images: int, repetitions: int, *, both: bool, seed: int = 7) -> Rate:
    """A difference for new seeds and new images; `both` is False for the t over seeds alone."""

    def draw(rng: Rng, n: int, images: int) -> tuple[np.ndarray, np.ndarray]:
        seeds, hard = rng.normal(0, 0.1, (n, 1)), rng.normal(0, 0.7, images)
        base = rng.normal(1, 1, images)
        cells = rng.standard_normal((2, n, images))
        return base + 0.2 + seeds + hard + cells[0] > 0, base + cells[1] > 0

    # base + 0.2 + seeds + hard + cell ~ N(1.2, 1 + .01 + .49 + 1); base + cell ~ N(1, 2)
    truth = 0.5 * math.erfc(-1.2 / math.sqrt(2 * 2.5)) - 0.5 * math.erfc(-1 / math.sqrt(2 * 2))

    def trial(rng: Rng) -> bool:
        a, b = draw(rng, n, images)
        interval = two_way_interval(a, b) if both else paired_difference(a.mean(1), b.mean(1))
        return bool(interval.lower <= truth <= interval.upper)

    name = "seeds × images interval" if both else "(t over seeds, for new images)"
    return rate(f"{name}, n = {n}, N = {images}", "0.95", repetitions, trial, seed)


def sign_flip_error(n: int, noise: Noise, repetitions: int, seed: int = 8) -> Rate:
    def trial(rng: Rng) -> bool:
        return sign_flip(noise(rng, (n,))).p <= 0.05

    what = f"sign flip, no effect, n = {n}, {noise.__name__}"
    return rate(what, "≤ 0.05", repetitions, trial, seed)


def family_error(
    n: int, repetitions: int, *, partial: bool, across: bool = True, seed: int = 9
) -> Rate:
    """Any false rejection over 3 augmentations × 7 sizes and their areas that share one baseline.

    `partial`: each augmentation helps at the three smallest sizes and nowhere else, so that a
    step-down that steps too far is caught. `across` is False without correction across
    augmentations.
    """
    gain = np.where(np.arange(7) < 3, 0.1, 0.0) if partial else np.zeros(7)
    null = np.append(not partial, gain == 0)  # the area, then the sizes

    def trial(rng: Rng) -> bool:
        luck = rng.standard_normal((n, 1))
        plain = arm(rng, n, luck, CURVE[:7])
        deltas = [arm(rng, n, luck, CURVE[:7] + gain) - plain for _ in range(3)]
        columns = [np.column_stack([aulc(d, SIZES), d]) for d in deltas]  # [n, 8] each
        groups = [0] + [1] * 7
        if across:
            p = family_test(np.hstack(columns), groups * 3).p.reshape(3, 8)
        else:
            p = np.stack([family_test(one, groups).p for one in columns])
        return bool((p[:, null] <= 0.05).any())

    truth = "effects at 3 of 7 sizes" if partial else "no effect"
    what = f"the family of areas and sizes, 3 arms, {truth}, n = {n}"
    if not across:
        what = f"(each arm a family of its own, {truth}, n = {n})"
    return rate(what, "≤ 0.05", repetitions, trial, seed)


def pairs_error(pairs: int, repetitions: int, seed: int = 10) -> Rate:
    """Pairs with effects of their own that are 0 on average; 3 seeds each, 2 augmentations."""

    def trial(rng: Rng) -> bool:
        def one() -> dict[str, np.ndarray]:
            return {str(b): rng.normal(rng.normal(0, 1), 0.3, 3) for b in range(pairs)}

        return any(row.p_holm <= 0.05 for row in across_datasets({"a": one(), "b": one()}))

    return rate(f"Wilcoxon over {pairs} pairs × Holm", "≤ 0.05", repetitions, trial, seed)


def everything(repetitions: int) -> Iterator[Rate]:
    for noise in (normal, skewed, heavy):
        for n in (3, 5, 10):
            yield mean_coverage(n, noise, repetitions)
    for n in (3, 5, 10):
        yield bootstrap_coverage(n, repetitions)
    for n in (3, 5, 10):
        yield area_coverage(n, repetitions)
    for n in (3, 5, 10):
        for size in (2, 16):
            yield multiplier_coverage(n, size, repetitions)
    yield multiplier_coverage(5, 64, repetitions, ruler=False)
    for n in (3, 5, 10):
        yield gap_coverage(n, repetitions)
        yield improvement_coverage(n, repetitions)
    for n in (3, 5, 10):
        yield two_way_coverage(n, 300, repetitions // 4, both=True)
        yield two_way_coverage(n, 300, repetitions // 4, both=False)
    for noise in (normal, heavy, skewed):
        for n in (6, 10):
            yield sign_flip_error(n, noise, repetitions)
    for n in (8, 10):
        yield family_error(n, repetitions, partial=False)
        yield family_error(n, repetitions, partial=True)
    yield family_error(10, repetitions, partial=True, across=False)
    for pairs in (7, 10):
        yield pairs_error(pairs, repetitions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20_000, help="of each procedure")
    parser.add_argument("--studies", type=int, default=2_000, help="of each whole verdict")
    arguments = parser.parse_args()
    repetitions = arguments.repetitions
    start = time.perf_counter()
    print("| procedure | claimed | measured | 95 % interval of the measurement |")
    print("| --- | --- | --- | --- |")
    for result in everything(repetitions):
        print(result.line(), flush=True)
    whole = chain(whole_verdict.tables(arguments.studies), mean_tests.table(arguments.studies))
    for line in chain([""], whole):
        print(line, flush=True)
    print(
        f"\n{repetitions:,} simulated studies a line ({repetitions // 4:,} for seeds × images), "
        f"{arguments.studies:,} whole studies, "
        f"{time.perf_counter() - start:.0f} s, {platform.machine()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    )


if __name__ == "__main__":
    main()
