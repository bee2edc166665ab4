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

import numpy as np
import pytest

from augbench.statistics import analyse, clopper_pearson
from augbench.statistics.claims import claims_of

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


whole = pytest.mark.parametrize("studies", [150, pytest.param(2000, marks=pytest.mark.slow)])


def any_wrong(name: str, n: int, studies: int):
    (scenario,) = (s for s in sim.whole_verdict.SCENARIOS if s.name == name)
    found = sim.whole_verdict.outcome(n, scenario, studies)
    return sim.Rate(f"{name}, n = {n}", "≤ 0.05", found.wrong, studies), found


@whole
@pytest.mark.parametrize(
    "name",
    [
        "nothing helps, normal noise",
        "nothing helps, skewed noise",
        "nothing helps, all collapse in 1 of 10 cells",
        "one of two arms helps by 5 points everywhere",
        "both arms help and then hurt",
        "nothing helps, the worst tenth of each arm fails",
    ],
)
def test_a_whole_verdict_claims_anything_wrong_at_most_one_time_in_twenty(
    name: str, studies: int
) -> None:
    for n in (8, 10):
        holds(any_wrong(name, n, studies)[0], at_most=0.05)


@whole
def test_a_real_effect_is_found(studies: int) -> None:
    _, found = any_wrong("one of two arms helps by 5 points everywhere", 8, studies)
    assert found.areas > 0.95
    assert found.sizes > 0.8


@whole
def test_collapses_of_the_baseline_alone_are_wrong_about_the_mean_and_cautioned(
    studies: int,
) -> None:
    name = "equal means, the baseline alone collapses, 1 of 10 cells"
    rate, found = any_wrong(name, 8, studies)
    holds(rate, at_least=0.5)
    assert found.cautioned > 0.9


def test_the_simulated_claims_are_those_that_the_words_rest_on() -> None:
    whole_verdict = sim.whole_verdict
    rng = np.random.default_rng(0)
    names = ("one of two arms helps by 5 points everywhere", "both arms help and then hurt",
             "nothing helps, the worst tenth of each arm fails")  # fmt: skip
    for scenario in (s for s in whole_verdict.SCENARIOS if s.name in names):
        for _ in range(5):
            arms, failed = whole_verdict.study(rng, 9, scenario)
            analysis = analyse(arms, whole_verdict.SIZES, failed=failed, chance=0.1)
            said = whole_verdict.claimed(arms, failed)
            for c, row in zip(analysis.comparisons, said, strict=True):
                claims = claims_of(c, 0.05)
                up, down = ({r.size for r in rows} for rows in (claims.up, claims.down))
                sizes = [(s in up) - (s in down) for s in whole_verdict.SIZES]
                assert row.tolist() == [claims.area, *sizes]


def test_one_family_holds_what_two_families_spend() -> None:
    rows = [line.split(" | ") for line in sim.whole_verdict.procedures(400, 8)]
    wrong = {row[2]: float(row[3]) for row in rows if row[1] == "nothing"}
    assert wrong["one family"] <= 0.075 <= wrong["two families"] + 0.02
    assert wrong["one family"] < wrong["two families"]


def test_no_test_of_a_mean_holds_where_a_baseline_collapses_now_and_then() -> None:
    rows = [line.strip("| ").split(" | ") for line in sim.mean_tests.table(200)][2:]
    for row in rows:
        if row[0] == "baseline collapses" and row[1] == "8":
            assert min(map(float, row[2:])) > 0.2
        if row[0] == "both collapse":
            assert float(row[2]) < 0.1  # the sign flip, where the arms are interchangeable
