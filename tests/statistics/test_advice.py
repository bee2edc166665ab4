"""What to use: only what is established, told as the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.statistics import Scale, advice, advice_line, analyse, best_arms

SIZES = (1, 2, 4, 8)


def both(scores, sizes=SIZES, **options):
    """The analysis of invented scores, and the set of best arms."""
    scale = options.get("scale", Scale())
    found = analyse(scores, sizes, baseline="none", chance=0.1, **options)
    return found, best_arms(scores, sizes, chance=0.1, lower_is_better=scale.lower_is_better)


def invented(effects, n=8, noise=0.004, seed=0):
    """Scores [n, sizes] of `none` and of arms that differ from it by these effects in points."""
    rng = np.random.default_rng(seed)
    base = 0.5 + 0.05 * np.arange(len(SIZES)) + 0.03 * rng.standard_normal((n, 1))
    arms = {"none": base + noise * rng.standard_normal((n, len(SIZES)))}
    for name, points in effects.items():
        shift = np.array(points) / 100
        arms[name] = base + shift + noise * rng.standard_normal((n, len(SIZES)))
    return arms


def said(effects, **options):
    analysis, best = both(invented(effects, **options))
    return advice_line(*advice(analysis, best), analysis)


def test_it_says_what_to_use_where():
    assert said({"a": (9, 9, 0, -6), "b": (9, 5, 0, -6)}) == (
        "Pretrained on 1 image a class: use a or b (they cannot be told apart). 2: use a. "
        "8: use none; both hurt. 4: undecided. On average: use a."
    )


def test_what_hurts_beside_an_arm_that_helps_is_said():
    assert said({"a": (9, 9, 9, 9), "b": (-9, 0, 0, 0)}) == (
        "Pretrained on 1 image a class: use a; b hurts. 2 to 8: use a. On average: use a; b hurts."
    )


def test_nothing_is_recommended_where_an_arm_only_hurts():
    assert said({"a": (-9, 0.05, 0, 0.02), "b": (0, 0.1, 0.05, -0.1)}) == (
        "Pretrained on 1 image a class: undecided; a hurts. 2 to 8: undecided. On average: a hurts."
    )


def test_an_effect_on_average_alone_is_said_as_such():
    found, best = both(invented({"a": (0.5, 0.5, 0.6, 0.5)}, noise=0.004, seed=3, n=12))
    text = advice_line(*advice(found, best), found)
    assert text == "On average: use a." or "use a" in text


def test_without_any_effect_it_says_what_would_have_been_found():
    text = said({"a": (0, 0, 0, 0)}, seed=5)
    assert text.startswith("Undecided: with 8 seeds no difference from none is established, at any")
    assert "8 seeds as noisy as these find a true average difference of about 0." in text


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "One seed decides nothing: this is a single draw, and a test takes 6 seeds."),
        (3, "3 seeds decide nothing: a test takes 6."),
    ],
)
def test_too_few_seeds_are_one_line_without_a_number_of_luck(n, text):
    assert said({"a": (30, 30, 30, 30)}, n=n) == text


def test_many_arms_are_counted_and_not_listed():
    effects = {f"arm-{i}": (9, 9, 9, 9) for i in range(6)}
    text = said(effects, seed=1)
    assert "use any of 6 arms (they cannot be told apart)" in text
    assert "arm-" not in text


effect_sizes = st.lists(st.sampled_from([-8.0, -1.0, 0.0, 1.0, 8.0]), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(effect_sizes, min_size=1, max_size=3),
    st.integers(4, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_advice_holds_established_differences_and_nothing_else(effects, n, seed, lower):
    arms = invented({f"arm-{i}": one for i, one in enumerate(effects)}, n=n, seed=seed)
    analysis, best = both(arms, scale=Scale(lower_is_better=lower))
    by_size, overall = advice(analysis, best)
    assert sorted(size for one in by_size for size in one.sizes) == list(SIZES)
    for one in by_size:
        for size in one.sizes:
            rows = {
                c.augmentation: next(row for row in c.by_size if row.size == size)
                for c in analysis.comparisons
            }
            signs = {
                name: (-1 if lower else 1) * np.sign(row.difference.mean) * (row.p_adjusted <= 0.05)
                for name, row in rows.items()
            }
            hurt = {name for name, sign in signs.items() if sign < 0}
            helping = {name for name, sign in signs.items() if sign > 0}
            assert set(one.hurt) == hurt
            assert set(one.use) <= helping | {"none"}
            assert bool(one.use) == bool(helping or len(hurt) == len(rows))
            assert ("none" in one.use) == (len(hurt) == len(rows))
    areas = {c.augmentation: c.p_adjusted for c in analysis.comparisons}
    assert all(areas[name] <= 0.05 for name in overall.use if name != "none")
    assert advice_line(by_size, overall, analysis)


@pytest.mark.slow
def test_no_difference_gives_no_advice_but_for_alpha():
    """Level arms: any advice takes a false claim, whose chance is alpha over the whole study."""
    wrong = 0
    for seed in range(200):
        analysis, best = both(invented({"a": (0,) * 4, "b": (0,) * 4}, noise=0.01, seed=seed))
        by_size, overall = advice(analysis, best)
        wrong += bool(overall.use) or any(one.use for one in by_size)
    assert wrong / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
