"""The claims of the procedures, on simulated studies whose truth is known.

The default run is short and its tolerance wide: a claim fails only where the exact binomial
interval of the measured rate, at 99.99 %, leaves it out. `pytest -m slow` repeats it 25 times as
often. The figures in `docs/statistics.md` come from the same functions.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from augbench.statistics import clopper_pearson

PATH = Path(__file__).parents[2] / "benchmarks" / "statistics_coverage.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statistics_coverage", PATH)
    sys.path.insert(0, str(PATH.parent))  # as when it runs as a script
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    return module


sim = load()
repetitions = pytest.mark.parametrize(
    "repetitions", [400, pytest.param(10_000, marks=pytest.mark.slow)]
)


def holds(rate, *, at_least: float = 0.0, at_most: float = 1.0) -> None:
    low, high = clopper_pearson(rate.hits, rate.repetitions, confidence=0.9999)
    assert high >= at_least, rate.line()
    assert low <= at_most, rate.line()


@repetitions
@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_t_intervals_cover_what_they_claim(n: int, repetitions: int) -> None:
    holds(sim.mean_coverage(n, sim.normal, repetitions), at_least=0.95, at_most=0.95)
    holds(sim.area_coverage(n, repetitions), at_least=0.95, at_most=0.95)


@repetitions
def test_the_percentile_bootstrap_would_not(repetitions: int) -> None:
    holds(sim.bootstrap_coverage(3, repetitions), at_most=0.76)


@repetitions
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("size", [2, 16])
def test_label_multipliers_cover_the_truth(n: int, size: int, repetitions: int) -> None:
    holds(sim.multiplier_coverage(n, size, repetitions), at_least=0.95)


@repetitions
def test_a_censored_multiplier_is_bounded_on_the_right_side(repetitions: int) -> None:
    holds(sim.multiplier_coverage(5, 64, repetitions, ruler=False), at_least=0.95)


@repetitions
@pytest.mark.parametrize("n", [3, 10])
def test_the_share_of_the_gap_is_covered(n: int, repetitions: int) -> None:
    holds(sim.gap_coverage(n, repetitions), at_least=0.95, at_most=0.95)


@repetitions
def test_the_probability_of_improvement_is_covered(repetitions: int) -> None:
    holds(sim.improvement_coverage(10, repetitions), at_least=0.95)


@repetitions
@pytest.mark.parametrize("n", [3, 10])
def test_new_seeds_and_new_images_are_covered(n: int, repetitions: int) -> None:
    holds(sim.two_way_coverage(n, 200, repetitions // 2, both=True), at_least=0.94)


@repetitions
@pytest.mark.parametrize("noise", ["normal", "heavy"])
def test_the_sign_flip_errs_no_more_than_alpha(noise: str, repetitions: int) -> None:
    holds(sim.sign_flip_error(8, getattr(sim, noise), repetitions), at_most=0.05)


@repetitions
@pytest.mark.parametrize("partial", [False, True])
def test_the_family_wise_error_is_held(partial: bool, repetitions: int) -> None:
    holds(sim.family_error(9, repetitions, partial=partial), at_most=0.05)


@repetitions
def test_without_correction_across_augmentations_it_would_not_be(repetitions: int) -> None:
    holds(sim.family_error(10, repetitions, partial=True, across=False), at_least=0.09)


@repetitions
def test_the_error_over_pairs_is_held(repetitions: int) -> None:
    holds(sim.pairs_error(7, repetitions // 2), at_most=0.05)
