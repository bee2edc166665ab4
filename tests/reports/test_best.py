"""The best arms in a report: one finding a pair, and a table, by the report's metric."""

import io

import numpy as np
import pytest
from rich.console import Console
from synthetic import make_study
from tables import Page

from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.statistics import best_arms, best_line

PAIR = ("digits", "letters")
ARMS = ["mixup", "collage"]


def printed(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=100))
    return " ".join(text.getvalue().split())


def test_terminal_and_page_say_which_arms_may_be_best(read):
    result = read(make_study(ARMS, pairs=(PAIR, ("digits", "digits"))))
    page = Page(render_page(result))
    for number, pair in enumerate(result.pairs):
        found = result.best_arms(pair)
        line = best_line(found, baseline="none")
        assert line.startswith("Best arms, by samples per class: ")
        told = f"• {line} Arms joined by 'or' are not told apart; each set holds the best with 95%"
        assert told in printed(result)
        assert line in page.words
        rows = page.tables[f"best-{number}"]
        assert [row["augmentation"].text for row in rows] == ["none", *ARMS]
        for i, row in enumerate(rows):
            for one in (*found.by_size, found.overall):
                entry, mine = row[str(one.size or "all")], one.candidates[i]
                assert entry.number == mine.p
                words = "may be best" if mine.best else f"out (p = {mine.p:.2g})"
                assert entry.text == words


def test_what_is_computed_is_kept_and_another_confidence_is_another_level(read):
    result = read(make_study(ARMS))
    assert result.best_arms(PAIR) is result.best_arms(PAIR)
    assert result.best_arms(PAIR).alpha == 0.05
    assert result.best_arms(PAIR, confidence=0.9).alpha == 0.1


@pytest.mark.parametrize("metric", ["nll", "ece", "balanced_accuracy"])
def test_the_set_is_by_the_metric_of_the_report(metric, read):
    result = read(make_study(ARMS)).about(metric)
    sign = 1 if metric == "balanced_accuracy" else -1
    mine = best_arms({a: sign * y for a, y in result.scores(PAIR).items()}, result.sizes)
    for one, other in zip(result.best_arms(PAIR).by_size, mine.by_size, strict=True):
        assert one.best == other.best
    means = {a: sign * y[:, 0].mean() for a, y in result.scores(PAIR).items()}
    assert max(means, key=means.get) in result.best_arms(PAIR).by_size[0].best


def test_failed_cells_count_at_chance_as_well(read):
    failed = [("mixup", 1, seed) for seed in range(3)]
    result = read(make_study(ARMS), fail=failed)
    y = result.scores(PAIR)
    assert np.isnan(y["mixup"][:3, 0]).all()
    mine = best_arms(y, result.sizes, failed=result.failures(PAIR), chance=1 / 3)
    assert result.best_arms(PAIR) == mine
    assert mine != best_arms(y, result.sizes)


def test_too_few_seeds_are_a_remark_that_says_how_many_it_takes(read):
    words = printed(read(make_study(ARMS, seeds=3)))
    assert "With 3 seeds no arm can be told from the best: at least 5 are needed." in words
    assert "Best arms" not in words
    page = Page(render_page(read(make_study(ARMS, seeds=4))))
    assert {row["1"].text for row in page.tables["best-0"]} == {"too few seeds"}


def test_one_augmentation_is_left_to_its_verdict(read):
    result = read(make_study(["mixup"]))
    assert "Best arms" not in printed(result)
    assert "best-0" not in Page(render_page(result)).tables


def test_a_study_without_a_baseline_has_best_arms_too(read):
    result = read(make_study(["cutmix", *ARMS], baseline=None))
    assert best_line(result.best_arms(PAIR)) in printed(result)


def test_arms_without_results_are_no_candidates(read):
    gone = [("mixup", size, seed) for size in (1, 2, 4, 8) for seed in range(8)]
    result = read(make_study(ARMS), skip=gone)
    assert "mixup" not in best_line(result.best_arms(PAIR))
    rows = Page(render_page(result)).tables["best-0"]
    assert [rows[1][key].text for key in ("1", "all")] == ["·", "·"]


def test_where_nobody_learnt_no_arm_is_best(read):
    low = [(a, size, i) for a in ("none", *ARMS) for size in (1, 2, 4, 8) for i in range(8)]
    words = printed(read(make_study(ARMS), low=low))
    assert "nothing was learnt" in words or "nothing is shown to be learnt" in words
    assert "Best arms" not in words
