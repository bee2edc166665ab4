"""The same results on another scale: what a metric's direction changes, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augbench.errors import UsageError
from augbench.statistics import Analysis, Scale, analyse, interactions, remarks, verdict
from augbench.statistics.budget_words import changed_by_budgets

SIZES = (1, 2, 4, 8)
LOSS = Scale("log loss", "nats", "nats of log loss", 1, 3, lower_is_better=True, shares=False)


def scores(gain: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    base = np.array([0.3, 0.5, 0.6, 0.65]) + rng.normal(0, 0.01, (8, 1))
    return {"none": base, "mixup": base + gain + rng.normal(0, 0.004, (8, 4))}


def both(gain: float, **arguments: object) -> tuple[Analysis, Analysis]:
    """The analysis of accuracies y, and that of losses 2 − y."""
    higher = scores(gain)
    lower = {name: 2 - arm for name, arm in higher.items()}
    extra = {name: 2 - np.asarray(one) for name, one in arguments.items()}
    return (
        analyse(higher, SIZES, **arguments),
        analyse(lower, SIZES, scale=LOSS, **extra),
    )


@pytest.mark.parametrize("gain", [0.05, -0.05, 0.0])
def test_a_loss_that_falls_is_a_gain_by_the_same_tests(gain: float) -> None:
    ceiling = np.full(8, 0.8)
    accuracy, loss = both(gain, ceiling=ceiling, floor=np.full(8, 0.2))
    assert [v.kind for v in verdict(accuracy)] == [v.kind for v in verdict(loss)]
    (a,), (b,) = accuracy.comparisons, loss.comparisons
    assert b.p_adjusted == pytest.approx(a.p_adjusted)
    assert b.improvement == a.improvement
    assert b.difference.mean == pytest.approx(-a.difference.mean)
    assert b.detectable == pytest.approx(a.detectable, nan_ok=True)
    for mine, theirs in zip(b.by_size, a.by_size, strict=True):
        assert mine.multiplier.value == pytest.approx(theirs.multiplier.value, nan_ok=True)
        assert mine.multiplier.censored == theirs.multiplier.censored
        assert mine.gap_closed.share == pytest.approx(theirs.gap_closed.share)
    for name in ("above_floor", "below_ceiling"):
        mine, theirs = getattr(loss.references, name), getattr(accuracy.references, name)
        assert [d.mean for d in mine] == pytest.approx([d.mean for d in theirs])


def test_words_have_the_unit_and_the_sign_of_the_scale() -> None:
    _, loss = both(0.05)
    (told,) = verdict(loss)
    assert told.headline.startswith("mixup helps: −0.0")
    assert " nats of log loss on average over 1 to 8 samples per class" in told.headline
    text = " ".join((told.headline, *told.sentences))
    assert "points" not in text
    assert "accuracy" not in text
    assert "without it for the same log loss" in text


def test_a_scale_without_multipliers_says_why_once() -> None:
    odd = replace(LOSS, no_multipliers="it need not fall")
    lower = {name: 2 - arm for name, arm in scores(0.05).items()}
    analysis = analyse(lower, SIZES, scale=odd)
    (comparison,) = analysis.comparisons
    assert {row.multiplier.withheld for row in comparison.by_size} == {"it need not fall"}
    assert np.isnan(comparison.average_multiplier.value)
    assert "Label multipliers are left out: it need not fall." in remarks(analysis)
    assert "labels" not in " ".join(verdict(analysis)[0].sentences)


def test_failures_are_left_out_where_guessing_has_no_score() -> None:
    lower = {name: 2 - arm for name, arm in scores(0.05).items()}
    failed = {"mixup": np.zeros((8, 4), bool)}
    failed["mixup"][2, 1] = True
    lower["mixup"][2, 1] = np.nan
    at_chance = verdict(analyse(lower, SIZES, scale=LOSS, failed=failed, chance=3.0))[0]
    assert "with failures counted at chance it is +" in at_chance.headline
    without = verdict(analyse(lower, SIZES, scale=LOSS, failed=failed, chance=np.nan))[0]
    assert "1 of 8 seeds failed only with it, and are left out" in without.headline


def test_collapsed_cells_are_told_where_the_scale_cannot_tell_them() -> None:
    lower = {name: 2 - arm for name, arm in scores(0.05).items()}
    low = {name: np.zeros((8, 4), bool) for name in lower}
    low["mixup"][3, 1] = True
    (comparison,) = analyse(lower, SIZES, scale=LOSS, collapses=low).comparisons
    assert comparison.collapses.treated_at == ((2, 3),)
    with pytest.raises(UsageError, match="collapses: expected"):
        analyse(lower, SIZES, scale=LOSS, collapses={"none": low["none"]})


def test_shares_stay_in_their_range_on_the_scales_that_have_one() -> None:
    with pytest.raises(UsageError, match="expected accuracies as shares"):
        analyse({"none": np.full((3, 4), 1.5)}, SIZES)
    analyse({"none": np.full((3, 4), 1.5)}, SIZES, scale=LOSS)


def test_a_budget_that_lowers_a_loss_is_a_gain_in_its_words() -> None:
    rng = np.random.default_rng(0)
    base = 2 + rng.normal(0, 0.01, (8, 2))
    found = interactions(
        {
            "500 steps": {"none": base, "mixup": base + 0.4 + rng.normal(0, 0.01, (8, 2))},
            "2,000 steps": {"none": base, "mixup": base - 0.1 + rng.normal(0, 0.01, (8, 2))},
        },
        (1, 2),
    )
    (line,) = changed_by_budgets(found, scale=LOSS)
    assert "mixup costs 0.40" in line
    assert "nats with 500 steps and gains 0.0" in line
