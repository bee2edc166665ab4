"""The answer: short whatever the study, each number that of the analysis, nothing claimed twice."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic import make_study

from augbench.reports.answer import answer_lines, answer_of
from augbench.reports.terminal import print_answer, print_report, print_results
from augbench.results import StudyResult
from augbench.statistics import aulc

PAIR = ("digits", "letters")
MANY = [f"mixup:alpha={i / 10}" for i in range(1, 25)]
CONDITIONS = {
    "pairs": (PAIR, ("digits", "digits")),
    "budgets": (500, 2000),
    "readouts": ("linear", "knn"),
}


def lines(result: StudyResult, width: int = 100, **options: float) -> list[str]:
    return answer_lines(answer_of(result, **options), width=width)


@pytest.mark.parametrize("arms", [["mixup"], ["mixup", "collage"], MANY])
@pytest.mark.parametrize("conditions", [{}, CONDITIONS])
def test_it_takes_25_lines_whatever_the_study(read, arms, conditions):
    sizes = (1, 8) if conditions and arms == MANY else (1, 2, 4, 8, 16, 32, 64)
    result = read(make_study(arms, seeds=6, sizes=sizes, **conditions))
    for width in (80, 100):
        found = lines(result, width)
        assert len(found) <= 24, "\n".join(found)  # and a line on the figures
        assert max(map(cell_len, found)) <= width


def test_every_number_is_that_of_the_analysis(read):
    result = read(make_study(["mixup", "collage"]))
    analysis, found = result.analysis(PAIR), answer_of(result)
    assert {row.augmentation for row in found.rows} == {"mixup", "collage"}
    gains = [row.average.difference.mean for row in found.rows]
    assert gains == sorted(gains, reverse=True)
    of = {c.augmentation: c for c in analysis.comparisons}
    text = "\n".join(lines(result))
    for row in found.rows:
        c = of[row.augmentation]
        assert row.average.difference == c.difference
        assert [one.difference for one in row.points] == [one.difference for one in c.by_size]
        for point, one in zip((*row.points, row.average), (*c.by_size, c), strict=True):
            claimed = point.p <= 0.05
            assert point.p == one.p_adjusted
            assert point.claim == (math.copysign(1, one.difference.mean) if claimed else 0)
        words = f"{100 * c.difference.mean:+.1f}".replace("-", "−")
        printed = next(line for line in text.splitlines() if line.startswith(row.augmentation))
        assert words in printed
        assert f"{c.p_adjusted:.2g}" in printed
    curve = next(one for one in analysis.curves if one.augmentation == "none")
    (own,) = found.means
    assert own.augmentation == "none"
    assert (own.points, own.average) == (curve.points, curve.aulc)


def test_marks_say_what_the_headline_says(read):
    """An arm that is advised at a size has a mark there, and an unmarked one is not advised."""
    result = read(make_study(["mixup", "collage"]))
    found = answer_of(result)
    for row in found.rows:
        marked = [str(one.size) for one in row.points if one.claim > 0]
        use = re.findall(r"([\d, and to]+)(?: images? a class)?: use ([^.;(]*)", found.headline)
        if any(row.augmentation in arms for _, arms in use):
            assert marked


def test_conditions_that_disagree_are_one_line_each_and_exploratory(read):
    result = read(make_study(["mixup", "collage"], readouts=("linear", "knn"), budgets=(500, 2000)))
    found = answer_of(result)
    assert any(line.startswith("500 steps, knn: ") for line in found.disagreements)
    told = [line for line in lines(result) if line.startswith("elsewhere (exploratory): ")]
    assert 1 <= len(told) <= 4
    other = answer_of(result.at(view=result.views[1]))
    assert other.setting.endswith("exploratory: not the study's primary condition")
    assert any(line.startswith("500 steps, linear: ") for line in other.disagreements)


def test_where_all_conditions_agree_one_line_says_so(read):
    few = read(make_study(["mixup"], pairs=(PAIR, ("digits", "digits")), seeds=3))
    assert answer_of(few).disagreements == ()  # nothing can be established anywhere
    result = read(make_study(["mixup"], pairs=(PAIR, ("digits", "digits"))))
    assert answer_of(result).disagreements == ("1 further condition agrees on every average",)


def test_one_seed_has_no_interval_and_no_p(read):
    found = lines(read(make_study(["mixup", "collage"], seeds=1)))
    text = "\n".join(found)
    assert "One seed decides nothing" in text
    assert not re.search(r"\bp\b|interval|nan|▲|▼", text)
    assert len(found) <= 10


def test_too_few_seeds_have_intervals_and_no_p(read):
    text = "\n".join(lines(read(make_study(["mixup", "collage"], seeds=3))))
    assert "3 seeds decide nothing: a test takes 6." in text
    assert "(95 % interval)" in text
    assert not re.search(r"\bp\b", text)


def test_a_single_size_has_no_average(read):
    text = "\n".join(lines(read(make_study(["mixup", "collage"], sizes=(4,)))))
    assert "average" not in text
    assert "(95 % interval)" in text


def test_without_a_baseline_the_means_are_shown_the_best_first(read):
    result = read(make_study(["mixup", "collage"], baseline=None))
    found = lines(result)
    assert found[1] == "Nothing to compare: the study has no baseline."
    means = {
        label: 100 * aulc(result.scores(PAIR)[label], result.sizes).mean()
        for label in ("mixup", "collage")
    }
    best = max(means, key=means.get)
    assert found[4].startswith(best)
    for line in found[4:6]:
        assert f"{means[line.split()[0]]:.1f} " in line
        assert "±" in line


def test_undecided_arms_are_folded_into_one_line_above_some_number(read):
    found = answer_of(read(make_study(MANY, seeds=6)))
    undecided = [row for row in found.rows if not row.decided]
    text = "\n".join(answer_lines(found))
    if undecided:
        assert f"{len(undecided)} arms undecided everywhere: " in text
    assert len(found.rows) == 24


def test_names_from_outside_move_nothing(read):
    result = read(make_study(["\x1b[2J" + "x" * 200, "größe"]))
    for line in lines(result):
        assert "\x1b" not in line
    text = io.StringIO()
    print_answer(result, Console(file=text, width=80))
    assert "\x1b" not in text.getvalue()


def test_in_full_is_every_verdict_and_else_the_answer(read):
    result = read(make_study(["mixup"]))

    def said(printing, **options):
        text = io.StringIO()
        printing(result, Console(file=text, width=100), **options)
        return text.getvalue()

    assert said(print_report, full=True) == said(print_results)
    assert said(print_report) == said(print_answer) == "\n".join(lines(result)) + "\n"


def test_an_interval_beside_an_open_mark_explains_itself(read):
    """Seven seeds of one sign, and one of the other: the interval leaves out 0, p does not."""
    result = read(make_study(["mixup", "collage"], seeds=8))
    found = answer_of(result)
    apart = [
        row.augmentation
        for row in found.rows
        if not row.average.claim and row.average.difference.lower * row.average.difference.upper > 0
    ]
    assert any("leaves out 0" in line for line in found.cautions) == bool(apart)


def test_a_collapsed_cell_is_marked_in_its_own_arm(read):
    study = make_study(["mixup", "collage"], sizes=(1, 4))
    result = read(study, low=[("none", 1, 2), ("collage", 4, 1)])
    found = answer_of(result)
    (own,) = found.means
    assert own.collapsed == (1, 0)
    marks = {row.augmentation: [one.collapsed for one in row.points] for row in found.rows}
    assert marks == {"mixup": [0, 0], "collage": [0, 1]}
    text = answer_lines(found)
    (line,) = (line for line in text if line.startswith("none"))
    assert line.count("✗") == 1
    assert not any("✗" in line for line in text if line.startswith("mixup"))


def test_without_results_of_the_baseline_that_is_said(read):
    failed = [("none", size, seed) for size in (1, 4) for seed in range(8)]
    result = read(make_study(["mixup"], sizes=(1, 4)), fail=failed)
    assert "the baseline none has no results" in answer_of(result).headline


def test_seeds_that_agree_to_the_last_bit_are_said_to(read):
    """A share of 0.9 in every cell: an interval of width 0 would claim what nobody knows."""
    study = make_study(["mixup"], sizes=(1, 4), seeds=3)
    result = read(
        study, low=[(a, s, i) for a in ("none", "mixup") for s in (1, 4) for i in (0, 1, 2)]
    )
    text = "\n".join(lines(result))
    assert "(all seeds equal)" in text
    assert "+0.0 to +0.0" not in text
