"""The test of whether a budget changes a difference: its error and its power, simulated.

    python benchmarks/interaction_tests.py --studies 1000

A study has two budgets, a baseline and two arms, seven sizes, seeds whose luck is shared by
everything, and noise that is correlated along the curve. A claim is any area or size whose change
is established; it is wrong where the true change is 0. The last column is the fallacy that the
test is there to avoid: that a difference is established under one budget and not under the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from whole_verdict import CHANCE, CURVE, NOISE, SIZES
from whole_verdict import claimed as claimed_of

from augbench.statistics import changed_by_budgets, interactions

Rng = np.random.Generator


@dataclass(frozen=True)
class Truth:
    """Gains of both arms under the short and the long budget, and how the short one's cells vary.

    `scale` multiplies the own noise of its arms (not the baseline's); `collapse` is the chance of
    its baseline cells to fall to chance, with the mean kept equal.
    """

    name: str
    gains: tuple[float, float] = (0.0, 0.0)
    noise: str = "normal"
    scale: float = 1.0
    collapse: float = 0.0

    @property
    def changes(self) -> bool:
        return self.gains[0] != self.gains[1]


TRUTHS = (
    Truth("nothing helps"),
    Truth("both arms help by 1.2 points, always", (0.012, 0.012)),
    Truth("the same, skewed noise", (0.012, 0.012), "skewed"),
    Truth("the same, arms vary 3 times as much with the short budget", (0.012, 0.012), scale=3.0),
    Truth("the same, skewed noise as well", (0.012, 0.012), "skewed", 3.0),
    Truth("the same, 1 of 10 baseline cells collapses there", (0.012, 0.012), collapse=0.1),
    Truth("the gain grows from 0 to 1.2 points", (0.0, 0.012)),
    Truth("the gain grows from 0 to 2.4 points", (0.0, 0.024)),
    Truth("the arm costs 2 points, then helps by 2", (-0.02, 0.02)),
)


def _noise(rng: Rng, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    return rng.exponential(size=shape) - 1 if kind == "skewed" else rng.standard_normal(shape)


def study(rng: Rng, n: int, truth: Truth) -> dict[str, dict[str, np.ndarray]]:
    """The accuracies [n, 7] of each budget and arm."""
    luck = rng.standard_normal((n, 1))
    scores: dict[str, dict[str, np.ndarray]] = {}
    for budget, gain in zip(("short", "long"), truth.gains, strict=True):
        scores[budget] = {}
        for name in ("none", "a", "b"):
            own = np.cumsum(_noise(rng, truth.noise, (n, 7)), axis=1) / np.sqrt(np.arange(1, 8))
            scale = truth.scale if budget == "short" and name != "none" else 1.0
            arm = CURVE + gain * (name != "none") + (luck + scale * own) * NOISE / np.sqrt(2)
            if truth.collapse and budget == "short" and name == "none":
                low = rng.random((n, 7)) < truth.collapse
                kept = (CURVE - truth.collapse * 0.1) / (1 - truth.collapse)
                arm = np.where(low, 0.1, arm + kept - CURVE)
            scores[budget][name] = np.clip(arm, 0, 1)
    return scores


def outcome(n: int, truth: Truth, studies: int, seed: int = 21) -> tuple[float, float, float]:
    """Shares of studies that claim a change, that claim one with a caution, and of the fallacy."""
    rng = np.random.default_rng(seed)
    claimed = cautioned = fallacy = 0
    for _ in range(studies):
        scores = study(rng, n, truth)
        lines = changed_by_budgets(interactions(scores, SIZES, chance=CHANCE))
        claimed += bool(lines)
        cautioned += any("in most seeds" in line for line in lines)
        areas = [claimed_of(arms, {})[:, 0] for arms in scores.values()]
        fallacy += bool((areas[0] != areas[1]).any())
    return claimed / studies, cautioned / studies, fallacy / studies


def table(studies: int, seeds: tuple[int, ...] = (6, 8, 12)) -> Iterator[str]:
    """A row for each truth: the share of studies with a claim, with a caution in parentheses."""
    columns = [f"n = {n}: claimed" for n in seeds] + [f"n = {n}: fallacy" for n in seeds]
    yield "| truth | the difference changes | " + " | ".join(columns) + " |"
    yield "| --- |" + " --- |" * (len(columns) + 1)
    for truth in TRUTHS:
        rates = [outcome(n, truth, studies) for n in seeds]
        claims = [
            f"{claimed:.3f}" + (f" ({cautioned:.3f} cautioned)" if cautioned >= 0.01 else "")
            for claimed, cautioned, _ in rates
        ]
        cells = [*claims, *(f"{fallacy:.3f}" for *_, fallacy in rates)]
        yield f"| {truth.name} | {'yes' if truth.changes else 'no'} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1_000, help="of each truth")
    studies = parser.parse_args().studies
    start = time.perf_counter()
    for line in table(studies):
        print(line, flush=True)
    print(f"\n{studies:,} simulated studies each, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
