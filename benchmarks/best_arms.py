"""The set of best arms: how often it holds the true best one, and which share it leaves out.

    python benchmarks/best_arms.py --studies 1000

One size. Accuracies are the arm's mean, the seed's luck, which all arms share, and noise of one
unit of the arm's own. Of several arms that are equally best, the share is of single ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from augbench.statistics import best_arms

Rng = np.random.Generator

TRUTHS = {
    "all equal": lambda arms: np.zeros(arms),
    "two best, the others 2 below": lambda arms: np.where(np.arange(arms) < 2, 0.0, -2.0),
    "one best, the others 2 below": lambda arms: np.where(np.arange(arms) < 1, 0.0, -2.0),
    "a ladder down to 4 below": lambda arms: np.linspace(0.0, -4.0, arms),
}
"""The means of so many arms, the best first, in units of an arm's own noise."""

LUCKY = "the best alone has rare good seeds"
NOISES = ("normal", "skewed", "tied", LUCKY)
DRAWS = 999
"""Sampled sign vectors above 16 seeds, anew for each study: fewer than a report has."""


def skewed(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Lognormal noise with rare bad seeds, of mean 0 and deviation 1; its skewness is -2.3."""
    sigma = 0.6
    raw = np.exp(sigma * rng.standard_normal(shape))
    mean, variance = np.exp(sigma**2 / 2), (np.exp(sigma**2) - 1) * np.exp(sigma**2)
    return (mean - raw) / np.sqrt(variance)


def study(rng: Rng, means: np.ndarray, n: int, noise: str) -> np.ndarray:
    """Scores [n, arms] of one study."""
    shape = (n, len(means))
    own = skewed(rng, shape) if noise == "skewed" else rng.standard_normal(shape)
    if noise == LUCKY:
        own[:, 0] = -skewed(rng, (n,))
    scores = means + own + 2 * rng.standard_normal((n, 1))  # arms correlate by .8
    return np.round(scores) if noise == "tied" else scores  # steps of one deviation


def outcome(
    means: np.ndarray, n: int, noise: str, studies: int, *, alpha: float = 0.05, seed: int = 31
) -> tuple[float, float]:
    """The share of truly best arms that are in the set, and of the others that are left out."""
    rng = np.random.default_rng([seed, n, len(means), NOISES.index(noise)])
    truly = means == means.max()
    if noise == LUCKY:
        truly = np.arange(len(means)) == 0  # the arm in question; others may be as good
    kept = out = 0.0
    for number in range(studies):
        scores = study(rng, means, n, noise)
        arms = {f"{a:02d}": scores[:, [a]] for a in range(len(means))}
        found = best_arms(arms, (1,), alpha=alpha, seed=number, draws=DRAWS).overall.candidates
        inside = np.array([one.best for one in found])
        kept += inside[truly].mean()
        worse = ~inside[means < means.max()]
        out += worse.mean() if worse.size else np.nan
    return kept / studies, out / studies


def table(
    studies: int,
    counts: tuple[int, ...] = (3, 6, 24),
    seeds: tuple[int, ...] = (5, 8, 10, 20),
) -> Iterator[str]:
    """A row for each truth, noise and number of arms: kept, and left out in parentheses."""
    yield "| truth | noise | arms | " + " | ".join(f"n = {n}" for n in seeds) + " |"
    yield "| --- | --- | --- |" + " --- |" * len(seeds)
    for name, means_of in TRUTHS.items():
        for noise in NOISES:
            for count in counts:
                equal = means_of(count)[1] == 0  # as good a rival is what errors come from
                if (count == 24 and noise != "normal") or (noise == LUCKY and not equal):
                    continue  # such rows tell nothing that the others do not
                cells = []
                for n in seeds:
                    kept, out = outcome(means_of(count), n, noise, studies)
                    cells.append(f"{kept:.3f}" + ("" if np.isnan(out) else f" ({out:.2f})"))
                yield f"| {name} | {noise} | {count} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1_000, help="of each row and n")
    studies = parser.parse_args().studies
    start = time.perf_counter()
    for line in table(studies):
        print(line, flush=True)
    print(f"\n{studies:,} simulated studies each, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
