from __future__ import annotations

import math
import re

import numpy as np
import pytest

from augbench.statistics import Condition, Verdict, analyse, remarks, verdict

SIZES = (1, 2, 4, 8)


def one(n: int, gain: list[float], *, sd: float = 0.002, **arguments: object) -> Verdict:
    rng = np.random.default_rng(0)
    base = np.array([0.3, 0.5, 0.6, 0.65]) + rng.normal(0, 0.01, (n, 1))
    treated = base + np.array(gain) + rng.normal(0, sd, (n, 4))
    (result,) = verdict(analyse({"none": base, "mixup": treated}, SIZES, **arguments))
    return result


def test_a_clear_gain_helps_with_size_interval_p_and_n() -> None:
    v = one(8, [0.05, 0.05, 0.05, 0.05])
    assert v.kind == "helps"
    assert re.fullmatch(
        r"mixup helps: \+4\.9\d accuracy points on average over 1 to 8 samples per class "
        r"\(95% interval \+4\.8\d to \+5\.0\d, 8 seeds\)\.",
        v.headline,
    )
    assert v.sentences[0] == (
        "Paired sign-flip test of the area under the curve over 8 seeds (exact): p = 0.0078 "
        "corrected for all sizes, p = 0.0078 alone."
    )
    assert re.search(
        r"it helps at 1 \(\+4\.\d+ points, .*\), 2 \(.*\), 4 \(.*\) and 8 \(", v.sentences[1]
    )
    assert any("Better in 8 of 8 seeds" in s for s in v.sentences)


def test_a_clear_loss_hurts() -> None:
    v = one(8, [-0.05] * 4)
    assert v.kind == "hurts"
    assert "mixup hurts: −5." in v.headline


def test_gains_and_losses_are_mixed() -> None:
    v = one(8, [0.05, 0.0, -0.05, -0.05])
    assert v.kind == "mixed"
    assert v.headline.startswith(
        "mixup helps at 1 sample per class and hurts at 4 and 8 samples per class; overall it "
        "hurts: −1."
    )


def test_a_null_effect_is_unclear_and_says_what_could_have_been_seen() -> None:
    v = one(8, [0.0] * 4, sd=0.02)
    assert v.kind == "unclear"
    assert "no clear effect over the whole curve" in v.headline
    assert any(
        re.match(
            r"With seeds as noisy as these, 8 find a true difference of about [\d.]+ points", s
        )
        for s in v.sentences
    )
    assert "At no single size is a difference established." in v.sentences


def test_a_local_effect_is_named_though_the_curve_is_unclear() -> None:
    rng = np.random.default_rng(2)
    base = np.full((8, 3), 0.5) + rng.normal(0, 0.05, (8, 1))
    treated = base + rng.normal(0, [0.001, 0.1, 0.1], (8, 3)) + [0.02, 0, 0]
    (v,) = verdict(analyse({"none": base, "a": treated}, (1, 2, 4)))
    assert v.kind == "unclear"
    assert "though it helps at 1 sample per class" in v.headline


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_too_few_seeds_cannot_reach_significance_and_are_told_how_many_would(n: int) -> None:
    v = one(n, [0.05] * 4)
    seeds = "1 seed" if n == 1 else f"{n} seeds"
    assert v.kind == "cannot tell"
    assert v.headline.startswith(
        f"mixup: cannot reach significance with {seeds}; at least 6 are needed; so far +"
    )
    text = " ".join((v.headline, *v.sentences))
    assert "not significant" not in text
    assert "nan" not in text.lower().split()


def test_more_augmentations_need_no_more_seeds_to_be_told_something() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((6, 2)) / 2
    gains = {f"a{i}": base + 0.1 + 0.001 * rng.random((6, 2)) for i in range(12)}
    verdicts = verdict(analyse({"none": base, **gains}, (1, 2)))
    assert {v.kind for v in verdicts} <= {"helps", "unclear"}
    assert "p = " in verdicts[0].sentences[0]


def test_nothing_to_compare_is_said_so() -> None:
    arms = {"none": np.full((3, 2), 0.5), "a": np.full((3, 2), math.nan)}
    (v,) = verdict(analyse(arms, (1, 2)))
    assert v.kind == "cannot tell"
    assert "nothing to compare yet" in v.headline
    assert v.sentences[0] == "At least 6 seeds are needed for a test at 0.05."


def test_a_single_size_is_not_called_a_curve() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((8, 1)) / 2
    (v,) = verdict(analyse({"none": base, "a": base + rng.normal(0.05, 0.01, (8, 1))}, (4,)))
    assert v.kind == "helps"
    assert "at 4 samples per class" in v.headline
    assert not any("curve" in s or "single size" in s for s in v.sentences)


def worth(v: Verdict) -> str:
    return next((s for s in v.sentences if s.startswith("Worth in labels")), "")


def test_labels_are_censored_in_words_and_a_ruler_lifts_it() -> None:
    assert "more than 2 times as many at 4; at 8 more than were measured." in worth(
        one(8, [0.1] * 4)
    )
    assert worth(one(8, [0.0, 0.0, 0.0, 0.2])) == (
        "Worth in labels, without it for the same accuracy: at 8 more than were measured."
    )
    v = one(8, [0.0, 0.0, 0.0, 0.1], ruler=np.full((8, 1), 0.9), ruler_sizes=(16,))
    assert re.search(r"\(95% intervals\): .*1\.\d+ times as many at 8 \([\d.]+ to", worth(v))


def test_labels_are_not_quoted_where_no_difference_is_established() -> None:
    assert worth(one(8, [0.0] * 4, sd=0.02)) == ""
    assert worth(one(3, [0.1] * 4)) == ""


def test_a_ruler_that_few_seeds_ran_gives_its_own_n() -> None:
    ruler = np.full((8, 1), math.nan)
    ruler[:2] = 0.9
    v = one(8, [0.05] * 4, ruler=ruler, ruler_sizes=(16,))
    assert re.search(r"times as many at 1 \([^)]*, 2 seeds\)", worth(v))


def test_a_multiplier_is_withheld_where_the_baseline_falls_and_the_words_say_why() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.5, 0.8, 0.7, 0.75]) + rng.normal(0, 0.01, (8, 1))
    arms = {"none": base, "a": base - 0.03 + rng.normal(0, 0.002, (8, 4))}
    (v,) = verdict(analyse(arms, SIZES))
    assert v.kind == "hurts"
    assert "no number at 2, 4 and 8, since the baseline's mean accuracy falls between 2 and" in (
        worth(v)
    )


def test_a_multiplier_is_withheld_where_its_few_seeds_contradict_the_difference() -> None:
    rng = np.random.default_rng(1)
    base = np.array([0.3, 0.5, 0.6, 0.65]) + rng.normal(0, 0.01, (9, 1))
    gain = np.full((9, 1), 0.03)
    gain[0] = -0.005  # the only seed that ran the ruler
    ruler = np.full((9, 1), math.nan)
    ruler[0] = 0.9
    arms = {"none": base, "a": base + gain + rng.normal(0, 0.0005, (9, 4))}
    (v,) = verdict(analyse(arms, SIZES, ruler=ruler, ruler_sizes=(16,)))
    assert "since its seeds point the other way than the established difference" in worth(v)


def test_all_established_sizes_are_quoted_and_said_to_be_selected() -> None:
    rng = np.random.default_rng(3)
    base = np.array([0.3, 0.5, 0.6, 0.65]) + rng.normal(0, 0.01, (8, 1))
    gain = np.array([0.06, 0.04, 0.03, 0])
    arms = {"none": base, "a": base + gain + rng.normal(0, 0.003, (8, 4))}
    analysis = analyse(arms, SIZES)
    (v,) = verdict(analysis)
    for row in analysis.comparisons[0].by_size[:3]:
        assert re.search(rf"{row.size} \(\+{100 * row.difference.mean:.2f}", v.sentences[1])
    assert any("larger than the truth" in line for line in remarks(analysis))
    null = analyse({"none": base, "a": base + rng.normal(0, 0.01, (8, 4))}, SIZES)
    assert not any("larger than the truth" in line for line in remarks(null))


def test_a_claim_whose_interval_holds_zero_stands_with_its_sentence() -> None:
    rng = np.random.default_rng(0)
    base = 0.3 + rng.normal(0, 0.01, (8, 1)) + np.zeros((8, 1))
    gain = np.array([0.01, 0.011, 0.012, 0.009, 0.01, 0.013, 0.008, 0.30])[:, None]
    analysis = analyse({"none": base, "a": base + gain}, (4,))
    (c,), (v,) = analysis.comparisons, verdict(analysis)
    assert c.difference.lower < 0 < c.difference.mean
    assert v.kind == "helps"
    assert v.headline.startswith("a helps in 8 of 8 seeds, by an uncertain mean: +")
    assert v.sentences[1].startswith(
        "Read it as a claim about most seeds, not about the mean: the interval of the mean holds 0"
    )


def test_sizes_may_be_established_where_the_area_has_too_few_whole_seeds() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.3, 0.5]) + rng.normal(0, 0.01, (9, 1))
    treated = base + 0.05 + rng.normal(0, 0.001, (9, 2))
    treated[:4, 1] = math.nan
    (v,) = verdict(analyse({"none": base, "a": treated}, (1, 2)))
    assert v.kind == "unclear"
    assert v.headline.startswith(
        "a helps at 1 sample per class; the whole curve has too few seeds for a test: +5.0"
    )
    assert "not tested, having 5 whole seeds of the 6 that are needed" in v.sentences[0]
    assert not any("nothing is claimed" in s or "find a true" in s for s in v.sentences)


def test_an_arm_that_lacks_a_size_everywhere_has_no_average_and_no_nan() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.3, 0.5]) + rng.normal(0, 0.01, (8, 1))
    treated = base + 0.05 + rng.normal(0, 0.001, (8, 2))
    treated[:, 1] = math.nan
    (v,) = verdict(analyse({"none": base, "a": treated}, (1, 2)))
    assert v.headline == (
        "a helps at 1 sample per class; no seed has every size, so there is no average over the "
        "curve."
    )
    assert "nan" not in " ".join(v.sentences)


def test_seeds_that_can_find_nothing_are_not_said_to_find_something() -> None:
    v = one(3, [0.01] * 4, sd=0.02)
    assert not any("find a true difference" in s for s in v.sentences)


def test_an_exploratory_condition_is_marked_in_every_headline_and_remark() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.3, 0.5]) + rng.normal(0, 0.01, (8, 1))
    arms = {"none": base, "a": base + 0.05 + rng.normal(0, 0.001, (8, 2)), "b": base + 0.01}
    analysis = analyse(arms, (1, 2), condition=Condition("x → z", False, "x → y"))
    verdicts = verdict(analysis)
    assert all(v.exploratory for v in verdicts)
    assert verdicts[0].headline.startswith("a (exploratory) helps: ")
    assert remarks(analysis)[0].startswith(
        "Exploratory: this is not the study's primary condition (x → y)"
    )
    primary = analyse(arms, (1, 2))
    assert not any(v.exploratory or "xploratory" in v.headline for v in verdict(primary))
    assert not any("xploratory" in line for line in remarks(primary))


def test_several_claims_are_said_to_share_their_baseline() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.3, 0.5]) + rng.normal(0, 0.01, (8, 1))
    arms = {a: base + g + rng.normal(0, 0.001, (8, 2)) for a, g in (("a", 0.05), ("b", 0.03))}
    said = remarks(analyse({"none": base, **arms}, (1, 2)))
    assert any("not independent findings" in line for line in said)


@pytest.mark.parametrize(
    ("gain", "shown"), [(0.00002, "+0.002"), (0.0004, "+0.04"), (0.05, "+5.0")]
)
def test_a_mean_that_is_claimed_is_never_printed_as_zero(gain: float, shown: str) -> None:
    base = np.linspace(0.3, 0.5, 8)[:, None]
    jitter = np.linspace(-1, 1, 8)[:, None] * gain / 1000
    (v,) = verdict(analyse({"none": base, "a": base + gain + jitter}, (4,)))
    assert v.headline.startswith(f"a helps: {shown}")
    assert "−0.0 " not in v.headline


def test_a_confidence_is_printed_as_it_is() -> None:
    v = one(8, [0.05] * 4, confidence=0.999)
    assert "(99.9% interval" in v.headline
    assert "100%" not in " ".join((v.headline, *v.sentences))


def test_plans_and_gaps_are_rounded_for_a_reader() -> None:
    rng = np.random.default_rng(0)
    base = 0.5 + rng.normal(0, 0.01, (8, 2))
    tiny = base + np.tile([[0.02], [-0.0199]], (4, 2))
    (v,) = verdict(analyse({"none": base, "a": tiny}, (1, 2)))
    assert any("an effect as small as measured takes over 1,000 seeds" in s for s in v.sentences)
    harmful = base - 0.3 + rng.normal(0, 0.001, (8, 2))
    ceiling = base[:, 0] + 0.005
    (v,) = verdict(analyse({"none": base, "a": harmful}, (1, 2), ceiling=ceiling))
    gap = next(s for s in v.sentences if "Of the gap" in s)
    assert "under −200%" in gap


def test_missing_seeds_are_listed_by_their_place() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((9, 2)) / 2
    treated = base + 0.1
    treated[[0, 4], 1] = math.nan
    (v,) = verdict(analyse({"none": base, "a": treated}, (1, 2)))
    assert v.sentences[-1] == (
        "Left out of the comparison, for a missing cell: 2 seeds (number 1 and 5 of the study's "
        "list)."
    )


def test_the_share_of_the_gap_is_said_for_the_first_and_the_last_size() -> None:
    v = one(8, [0.05] * 4, ceiling=np.full(8, 0.9))
    assert any(
        re.match(r"Of the gap between none and all labels it closes \d+% \(", s)
        for s in v.sentences
    )


def test_an_interval_that_leaves_out_zero_does_not_overrule_the_test() -> None:
    rng = np.random.default_rng(0)
    base = 0.2 + rng.random((7, 2)) / 2
    gain = np.array([0.05, 0.05, 0.06, 0.04, 0.05, 0.05, -0.005])[:, None]
    arms = {"none": base, "a": base + gain, "b": base + rng.normal(0, 0.01, (7, 2))}
    v = verdict(analyse(arms, (1, 2)))[0]
    assert v.kind == "unclear"
    assert "the p-value decides" in v.sentences[0]


def test_every_number_in_the_words_is_in_the_analysis() -> None:
    rng = np.random.default_rng(5)
    base = np.array([0.3, 0.5, 0.6, 0.65]) + rng.normal(0, 0.02, (9, 1))
    arms = {"none": base, "a": base + rng.normal(0.02, 0.01, (9, 4))}
    analysis = analyse(arms, SIZES)
    (c,), (v,) = analysis.comparisons, verdict(analysis)
    d = c.difference
    assert f"{100 * d.mean:+.1f} accuracy" in v.headline or f"{100 * d.mean:+.2f}" in v.headline
    assert f"p = {c.p_adjusted:.2g}" in v.sentences[0]
    text = " ".join(v.sentences)
    assert f"{c.improvement.lower:.2f} to {c.improvement.upper:.2f}" in text


def test_remarks_name_what_concerns_the_whole_study() -> None:
    rng = np.random.default_rng(0)
    base = np.column_stack([np.full(5, 0.3), np.full(5, 0.6)]) + rng.normal(0, 0.01, (5, 2))
    floor = base[:, 0] + [0.02, -0.02, 0.01, -0.01, 0]
    first, second = remarks(analyse({"none": base}, (1, 2), floor=floor))
    assert first.startswith("At 1 sample per class pretraining without augmentation is not")
    assert second.startswith("Intervals are 95% over seeds")
    (only,) = remarks(analyse({"a": base[:1]}, (1, 2)))
    assert only.startswith("There are no 'none' cells")


def test_a_study_without_baseline_has_no_verdict() -> None:
    assert verdict(analyse({"a": [[0.5]]}, (1,))) == []
