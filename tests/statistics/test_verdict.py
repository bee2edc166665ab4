from __future__ import annotations

import math
import re

import numpy as np
import pytest

from augbench.statistics import Verdict, analyse, remarks, verdict

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
        "Paired sign-flip test of the area under the curve over 8 seeds (exact): p = 0.0078."
    )
    assert "it helps at 1, 2, 4 and 8, the most at" in v.sentences[1]
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
        re.match(r"With seeds as noisy as these, 8 find a true difference of [\d.]+ points", s)
        for s in v.sentences
    )
    assert any("not established" in s for s in v.sentences)


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


def test_more_augmentations_need_more_seeds() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((6, 2)) / 2
    arms = {"none": base, "a": base + 0.1, "b": base + 0.2}
    assert [v.kind for v in verdict(analyse(arms, (1, 2)))] == ["cannot tell"] * 2
    assert "at least 7 are needed" in verdict(analyse(arms, (1, 2)))[0].headline


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


def test_labels_are_censored_in_words_and_a_ruler_lifts_it() -> None:
    v = one(8, [0.1] * 4)
    worth = next(s for s in v.sentences if s.startswith("Worth in labels"))
    assert "above the largest baseline size left out" in worth
    v = one(8, [0.0, 0.0, 0.0, 0.2])
    worth = next(s for s in v.sentences if s.startswith("Worth in labels"))
    assert "need more than 1 times as many at 8 samples per class" in worth
    assert "(95% interval 1 to more than 1)" in worth
    v = one(8, [0.0, 0.0, 0.0, 0.1], ruler=np.full((8, 1), 0.9), ruler_sizes=(16,))
    worth = next(s for s in v.sentences if s.startswith("Worth in labels"))
    assert re.search(r"need 1\.\d+ times as many at 8 samples", worth)


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
        re.match(r"Of the gap between no augmentation and all labels it closes \d+% \(", s)
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
    assert f"{c.average_multiplier.value:.3g} times the labels" in text
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
