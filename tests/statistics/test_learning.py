from __future__ import annotations

import numpy as np
import pytest

from augbench.statistics import Condition, analyse, nothing_learnt, remarks, verdict
from augbench.statistics.claims import told_claims

CHANCE = 0.1


def arms(*levels: float, sd: float = 0.01, seeds: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = ("none", "mixup", "collage")
    return {
        name: level + rng.normal(0, sd, (seeds, 3))
        for name, level in zip(names, levels, strict=False)
    }


def test_guessing_arms_have_learnt_nothing() -> None:
    found = nothing_learnt(arms(CHANCE, CHANCE), CHANCE)
    assert found is not None
    assert found.excluded
    assert found.means == 6
    assert CHANCE - 0.01 < found.highest < found.upper < CHANCE + 0.02


def test_with_seeds_that_scatter_it_is_not_shown_but_not_excluded() -> None:
    found = nothing_learnt(arms(CHANCE, CHANCE, sd=0.08), CHANCE)
    assert found is not None
    assert not found.excluded


@pytest.mark.parametrize("learnt", [0.03, 0.1, 0.5])
def test_one_arm_that_learns_even_a_little_is_enough(learnt: float) -> None:
    assert nothing_learnt(arms(CHANCE, CHANCE + learnt), CHANCE) is None


def test_few_seeds_far_above_guessing_are_no_finding() -> None:
    assert nothing_learnt(arms(CHANCE, 0.3, sd=0.1, seeds=2), CHANCE) is None
    assert nothing_learnt(arms(CHANCE, seeds=1), CHANCE) is None
    assert nothing_learnt({"none": np.full((4, 2), np.nan)}, CHANCE) is None


def test_networks_that_answer_one_class_always_have_learnt_nothing() -> None:
    assert nothing_learnt({"none": np.full((4, 2), 0.1)}, 0.1) is not None


def test_guesses_are_seldom_taken_for_learning() -> None:
    """The level is that of the corrected test: at most 5 % over all arms and sizes."""
    trials = [arms(CHANCE, CHANCE, CHANCE, seed=seed) for seed in range(400)]
    missed = sum(nothing_learnt(one, CHANCE) is None for one in trials)
    assert missed <= 30  # of 400 at 5 %: 20 ± 4.4


def test_the_verdict_ranks_nothing_and_claims_nothing() -> None:
    # Every seed is a little better, within guessing: the paired test alone would call it a gain.
    scores = arms(CHANCE - 0.005, sd=0.01)
    scores["mixup"] = scores["none"] + 0.004
    plain = analyse(scores, (1, 2, 4), chance=CHANCE)
    assert verdict(plain)[0].kind == "helps"
    found = nothing_learnt(scores, CHANCE)
    unlearnt = analyse(scores, (1, 2, 4), chance=CHANCE, unlearnt=found)
    assert told_claims(plain.comparisons[0], plain).sizes
    assert not told_claims(unlearnt.comparisons[0], unlearnt).any
    (told,) = verdict(unlearnt)
    assert told.kind == "cannot tell"
    assert told.headline.startswith(
        "mixup: nothing was learnt, with it or without it, so there is nothing to compare: the "
        "highest mean accuracy of any arm is "
    )
    assert told.headline.endswith("and answers without looking at an image reach 10.0%.")
    assert "corrected for 6 means" in told.sentences[0]
    assert not any("selected" in line for line in remarks(unlearnt))
    other = Condition("b", primary=False, primary_label="a")
    (told,) = verdict(analyse(scores, (1, 2, 4), chance=CHANCE, unlearnt=found, condition=other))
    assert told.headline.startswith("mixup (exploratory): nothing was learnt")


def test_with_too_few_seeds_for_a_test_these_are_what_is_missing() -> None:
    scores = arms(CHANCE, CHANCE, sd=0.03, seeds=2)
    found = nothing_learnt(scores, CHANCE)
    assert found is not None
    assert not found.excluded
    (told,) = verdict(analyse(scores, (1, 2, 4), chance=CHANCE, unlearnt=found))
    assert "cannot reach significance with 2 seeds" in told.headline
