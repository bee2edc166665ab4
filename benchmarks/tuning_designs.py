"""Two designs of a tuned comparison, and what their 95 % intervals cover, simulated.

    python benchmarks/tuning_designs.py --studies 4000

An arm's true accuracy falls with the squared distance of a configuration from the arm's own
optimum. A seed's luck is shared by all that it trains, each training has noise of its own, and a
validation score has more on top. Both arms have the same 16 trials in two dimensions.

- "tuned before": 2 or 8 tuning seeds choose one configuration an arm; n fresh seeds measure it.
- "tuned within": each of n seeds chooses its own configuration, and measures the network that it
  chose.

Two things may be meant by an arm's accuracy. *The configuration's*: the expected accuracy of what
was chosen, trained with another seed (within: the mean of the n configurations that were chosen).
*The procedure's*: the expected accuracy of tuning in this way and training, had all been done anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from augbench.statistics import mean_interval, paired_difference, pairing
from augbench.tuning.points import unit_points

Rng = np.random.Generator

TRIALS = 16
LUCK, TRAINING, VALIDATION = 0.02, 0.01, 0.02
"""Standard deviations: of a seed, of one training, and of a score on some 400 validation images."""
ARMS = ((0.80, (0.35, 0.50)), (0.82, (0.70, 0.30)))
"""Of the baseline and the arm: the accuracy at the optimum, and the optimum in the unit square."""


@dataclass(frozen=True)
class Surface:
    """`drop` is the loss of accuracy at the distance 1 from the optimum."""

    name: str
    drop: float

    @property
    def truth(self) -> np.ndarray:
        """The expected accuracy of each arm's trials, [2, trials]; the default is in the middle."""
        points = np.vstack([[0.5, 0.5], unit_points(TRIALS - 1, 2)])
        return np.array([peak - self.drop * ((points - at) ** 2).sum(axis=1) for peak, at in ARMS])


SURFACES = (Surface("steep", 0.5), Surface("flat", 0.05))


def trained(rng: Rng, surface: Surface, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Test accuracies and validation scores of every trial: each [*shape, 2, trials]."""
    whole = (*shape, 2, TRIALS)
    y = surface.truth + LUCK * rng.standard_normal((*shape, 1, 1))
    y = y + TRAINING * rng.standard_normal(whole)
    return y, y + VALIDATION * rng.standard_normal(whole)


def tuned_before(
    rng: Rng, surface: Surface, n: int, studies: int, tuning_seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Measured accuracies [studies, n, 2], and the configurations' own [studies, 2]."""
    _, scores = trained(rng, surface, (studies, tuning_seeds))
    chosen = scores.mean(axis=1).argmax(axis=-1)  # [studies, 2]
    y, _ = trained(rng, surface, (studies, n))
    measured = np.take_along_axis(y, chosen[:, None, :, None], axis=-1)[..., 0]
    return measured, surface.truth[np.arange(2), chosen]


def tuned_within(rng: Rng, surface: Surface, n: int, studies: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for seeds that choose for themselves."""
    y, scores = trained(rng, surface, (studies, n))
    chosen = scores.argmax(axis=-1)  # [studies, n, 2]
    measured = np.take_along_axis(y, chosen[..., None], axis=-1)[..., 0]
    return measured, surface.truth[np.arange(2), chosen].mean(axis=1)


DESIGNS = {
    "before, 2 seeds": (partial(tuned_before, tuning_seeds=2), lambda n: n + 2 * TRIALS),
    "before, 8 seeds": (partial(tuned_before, tuning_seeds=8), lambda n: n + 8 * TRIALS),
    "within": (tuned_within, lambda n: n * TRIALS),
}
"""Each design's studies, and its trainings an arm with n seeds that are reported."""


def procedure(rng: Rng, surface: Surface, design: str) -> np.ndarray:
    """The expected accuracy of each arm's procedure, [2]."""
    simulate, _ = DESIGNS[design]
    parts = [simulate(rng, surface, 1, 20_000)[0].mean(axis=(0, 1)) for _ in range(5)]
    return np.mean(parts, axis=0)


def table(studies: int, seeds: tuple[int, ...] = (5, 10, 20)) -> Iterator[str]:
    """What intervals cover, as Markdown."""
    yield (
        "| surface | n | tuned | trainings an arm | arm's accuracy: ± | configuration | procedure "
        "| difference: ± | configuration | procedure | correlation |"
    )
    yield "| --- |" + " --- |" * 10
    for k, surface in enumerate(SURFACES):
        for n in seeds:
            for j, (design, (simulate, trainings)) in enumerate(DESIGNS.items()):
                rng = np.random.default_rng([11, k, n, j])
                expected = procedure(rng, surface, design)
                measured, configured = simulate(rng, surface, n, studies)
                cells = " | ".join(_row(measured, configured, expected))
                yield f"| {surface.name} | {n} | {design} | {trainings(n)} | {cells} |"


def _row(measured: np.ndarray, configured: np.ndarray, expected: np.ndarray) -> Iterator[str]:
    means = [mean_interval(y[:, 1]) for y in measured]
    yield from _covered(means, configured[:, 1], expected[1])
    gains = [paired_difference(y[:, 1], y[:, 0]) for y in measured]
    yield from _covered(gains, configured[:, 1] - configured[:, 0], expected[1] - expected[0])
    yield f"{np.mean([pairing(y[:, 1], y[:, 0]).correlation for y in measured]):.2f}"


def _covered(intervals: list, configured: np.ndarray, expected: float) -> Iterator[str]:
    lower, upper = (
        np.array([getattr(one, end) for one in intervals]) for end in ("lower", "upper")
    )
    yield f"{100 * np.mean(upper - lower) / 2:.1f}"
    for truth in (configured, expected):
        yield f"{np.mean((lower <= truth) & (truth <= upper)):.3f}"


def gains(surface: Surface) -> str:
    """The arm's true gain: of the best configurations, the defaults, and both procedures."""
    truth = surface.truth
    rng = np.random.default_rng(12)
    found = {name: procedure(rng, surface, name) for name in DESIGNS}
    tuned = "; ".join(
        f"tuned {name} {100 * (b - a):+.2f}, and reaches {100 * b:.2f}"
        for name, (a, b) in found.items()
    )
    return (
        f"{surface.name}: the arm gains {100 * (truth[1].max() - truth[0].max()):+.2f} points with "
        f"both at their best trials, {100 * (truth[1, 0] - truth[0, 0]):+.2f} with both at the "
        f"defaults, and reaches {100 * truth[1].max():.2f} at best; {tuned}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=4000)
    began = time.perf_counter()
    for line in table(parser.parse_args().studies):
        print(line, flush=True)
    for surface in SURFACES:
        print(gains(surface))
    print(f"{time.perf_counter() - began:.0f} s")
