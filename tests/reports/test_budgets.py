"""Budgets, cost and parameters in reports: which verdict is for which, and where they differ."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from synthetic import arm, augmentation, fill, make_study
from tables import Page

from augbench.plotting import style
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.study import Arm, Settings
from augbench.reports.answer import answer_of
from augbench.reports.export import to_csv
from augbench.reports.figures import save_figures
from augbench.reports.figures.budgets import effect_by_budget
from augbench.reports.figures.cost import accuracy_by_cost
from augbench.reports.figures.differences import forest, paired_differences
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult, View
from augbench.statistics import mean_interval
from augbench.store import Store

PAIR = ("digits", "letters")
BUDGETS = (500, 2000, 8000)
LABELS = ["500 steps", "2,000 steps", "8,000 steps"]


def printed(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=400))
    return text.getvalue()


def test_the_longest_budget_is_the_primary_condition(read):
    result = read(make_study(["mixup"], budgets=BUDGETS, pairs=[PAIR, ("digits", "digits")]))
    assert list(result.budgets) == LABELS
    assert result.budget == LABELS[-1]
    assert result.analysis(PAIR).condition.primary
    for budget in LABELS[:-1]:
        condition = result.at(budget).analysis(PAIR).condition
        assert not condition.primary
        assert condition.label == f"digits → letters, {budget}"
        assert condition.primary_label == "digits → letters, 8,000 steps"
    assert not result.analysis(("digits", "digits")).condition.primary


def test_a_study_may_name_its_primary_budget(read):
    result = read(make_study(["mixup"], budgets=BUDGETS, primary_budget=2000))
    assert result.budget == result.primary_budget == LABELS[1]
    assert result.condition(PAIR).primary
    for other in (LABELS[0], LABELS[2]):
        condition = result.at(other).condition(PAIR)
        assert not condition.primary
        assert condition.primary_label == "digits → letters, 2,000 steps"
    changes = result.interactions(PAIR)
    assert {(one.first, one.second) for one in changes} == {
        (LABELS[0], LABELS[1]),
        (LABELS[2], LABELS[1]),
    }
    answer = answer_of(result)
    assert "· 2,000 steps (named as primary) ·" in answer.setting
    assert "exploratory" not in answer.setting
    assert "exploratory" in answer_of(result.at(LABELS[2])).setting
    assert "2,000 steps of pretraining, the budget that the study names" in printed(result)
    page = Page(render_page(result))
    assert [row["budget"].text for row in page.tables["other-budgets-0"]] == [LABELS[0], LABELS[2]]
    with style():
        (axes,) = paired_differences(result, PAIR, result.analysis(PAIR)).axes
        assert "letters, 2,000 steps" in axes.get_ylabel().replace("\n", " ")
        (axes,) = forest(result, {PAIR: result.analysis(PAIR)}).axes
        assert "above none (2,000 steps)" in axes.get_xlabel().replace("\n", " ")
        figure = effect_by_budget(result, PAIR)
        assert "steps" not in figure._supylabel.get_text()


@pytest.mark.parametrize(("first", "then"), [(None, 500), (500, None)])
def test_a_primary_budget_that_was_named_after_a_look_is_told(tmp_path, first, then):
    for primary in (first, then):
        fill(tmp_path, make_study(["mixup"], budgets=(500, 2000), primary_budget=primary))
    labels = {None: "2,000 steps", 500: "500 steps"}
    with Store.read(tmp_path) as store:
        before, after = (StudyResult(store.study(number)) for number in (1, 2))
    assert not any("primary" in line for line in answer_of(before).cautions)
    told = f"{labels[then]} became primary after a run with {labels[first]} as primary budget"
    assert any(line.startswith(told) for line in answer_of(after).cautions)
    assert f"run before with {labels[first]} as its primary budget" in printed(after)


def test_a_study_with_one_budget_says_for_which_its_verdicts_are(read):
    text = printed(read(make_study(["mixup"])))
    assert text.count("These verdicts are for 2,000 steps of pretraining; another length may") == 1
    assert "budget changes" not in text


def test_epochs_are_budgets_in_their_own_words(read):
    result = read(make_study(["mixup"], budgets=(10, 50), in_epochs=True))
    assert list(result.budgets) == ["10 epochs", "50 epochs"]
    assert "These verdicts are for 50 epochs of pretraining" in printed(result)


def test_the_terminal_gives_one_verdict_in_full_and_a_line_where_a_budget_differs(read):
    result = read(make_study(["collage", "mixup"], budgets=BUDGETS, sizes=(1, 2, 4, 8, 16, 32)))
    text = printed(result)
    assert text.count("Paired sign-flip test") == 2  # of two augmentations
    lines = [line for line in text.splitlines() if "the budget changes the difference by" in line]
    changed = {
        (one.first, one.augmentation) for one in result.interactions(PAIR) if one.p_adjusted <= 0.05
    }
    assert len(lines) == len(changed) > 0
    assert "exploratory" in text


def test_verdicts_at_shorter_budgets_stand_on_the_page_and_are_exploratory(read):
    result = read(make_study(["mixup"], budgets=BUDGETS))
    rows = Page(render_page(result)).tables["other-budgets-0"]
    assert [row["budget"].text for row in rows] == LABELS[:-1]
    assert all(row["headline"].text.startswith("mixup (exploratory)") for row in rows)


def test_an_arm_with_a_budget_of_its_own_has_no_change_and_is_named(read):
    study = make_study(["mixup"], budgets=(500, 2000), seeds=6)
    settings = Settings(pretrain_steps=900)
    own = Arm("long", Pipeline.of(augmentation("collage")), settings, own_budget=True)
    study = study.__class__(**{**study.__dict__, "arms": (*study.arms, own)})
    result = read(study)
    assert result.has_own_budget("long")
    assert not result.has_own_budget("mixup")
    assert {one.augmentation for one in result.interactions(PAIR)} == {"mixup"}
    assert "so not for long (900 steps)" in printed(result)


def test_an_arm_draws_apart_at_the_budgets_that_are_not_its_own(read):
    study = make_study(["mixup"], budgets=(500, 2000), seeds=6)
    own = Arm("long", Pipeline.of(augmentation("collage")), Settings(), own_budget=True)
    result = read(study.__class__(**{**study.__dict__, "arms": (*study.arms, own)}))
    assert "Common random draws" not in printed(result)
    assert "so not for long (2,000 steps)" in printed(result.at("500 steps"))


def test_an_arm_with_finetuning_images_of_its_own_is_named(read):
    settings = Settings(finetune_samples_per_class=64)
    study = make_study(["mixup"], finetune_sizes=(16, 64), seeds=6, settings=settings)
    own = Arm("rich", Pipeline.of(augmentation("collage")), settings, own_finetune_size=True)
    study = study.__class__(**{**study.__dict__, "arms": (*study.arms, own)})
    result = read(study)
    words = "All arms are judged on 16 finetuning images of each class, but for rich (64)"
    assert "All arms are judged" not in printed(result)
    assert words in printed(result.at(view=View("linear", 16)))


def test_arms_of_another_batch_size_are_named_as_drawing_apart(read):
    study = make_study(["mixup"], seeds=6)
    own = Arm("heavy", Pipeline.of(augmentation("collage")), Settings(batch_size=16))
    other = Arm("warm", Pipeline.of(augmentation("cutmix")), Settings(learning_rate=0.5))
    study = study.__class__(**{**study.__dict__, "arms": (*study.arms, own, other)})
    text = printed(read(study))
    assert text.count("Common random draws") == 1
    assert "so not for heavy (batches of 16 images): with" in text


def test_arms_that_share_everything_get_no_such_line(read):
    assert "Common random draws" not in printed(read(make_study(["mixup"], seeds=6)))


def test_plain_cases_are_named_for_their_budget(read):
    result = read(make_study(["mixup"], budgets=BUDGETS, seeds=9))
    named = {
        budget: {
            (one.augmentation, one.size) for one in result.at(budget).cut_short(PAIR) if one.plain
        }
        for budget in LABELS
    }
    # Invented accuracies rise by three points from the shortest budget to the longest, and more
    # with more labels; the curves of the longest have ended long before.
    assert ("mixup", 8) in named["500 steps"]
    assert not named["8,000 steps"]
    assert "Plainly not converged after 500 steps, by samples per class: " in printed(result)
    assert "Plainly not converged after 8,000 steps" not in printed(result)
    assert all(one.gain.n == 9 for one in result.cut_short(PAIR))


def test_a_falling_schedule_is_judged_by_longer_budgets_alone(read):
    study = make_study(["mixup"], budgets=BUDGETS, seeds=6)
    result = read(study)
    description = {**result.stored.description}
    description["settings"] = {**description["settings"], "schedule": "cosine"}
    cosine = StudyResult(
        result.stored.__class__(**{**vars(result.stored), "description": description})
    )
    assert all(one.gain is None for one in cosine.cut_short(PAIR))
    assert all(one.rise is not None for one in cosine.at("500 steps").cut_short(PAIR))


def test_the_figure_of_budgets_shows_the_paired_differences(read):
    result = read(make_study(["collage", "mixup"], budgets=BUDGETS, sizes=(1, 2, 4), seeds=6))
    with style():
        panels = effect_by_budget(result, PAIR).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["s = 1", "s = 2", "s = 4"]
    for panel, k in zip(panels, range(3), strict=True):
        lines = [line for line in panel.lines if line.get_marker() not in ("None", "")]
        for line, label in zip(lines, ("collage", "mixup"), strict=True):
            delta = [
                result.at(b).values(PAIR, label)[:, k] - result.at(b).values(PAIR, "none")[:, k]
                for b in LABELS
            ]
            np.testing.assert_allclose(line.get_ydata(), [100 * one.mean() for one in delta])


def test_cost_counts_the_images_of_every_pass(read):
    study = make_study(["mixup"], budgets=(500, 2000), sizes=(1, 8), seeds=3)
    result = read(study)
    for cell in result.cells:
        if cell.augmentation == "mixup":
            cell.result.metrics["extra_passes"] = 100.0
    images = {(c.augmentation, c.budget, c.size): c.images for c in result.costs(PAIR)}
    assert images["none", "500 steps", 8] == 500 * 8
    assert images["mixup", "500 steps", 8] == 600 * 8
    assert images["none", "2,000 steps", 1] == 2000 * 3  # three classes: smaller than the batch


def test_seconds_are_given_only_where_all_arms_were_measured_alike(read):
    result = read(make_study(["mixup"], seeds=3))
    assert all(one.seconds == 1 for one in result.costs(PAIR))
    for cell in result.cells:
        if cell.augmentation == "mixup":  # alone, not in a pack: a time of its own
            cell.result.metrics["pretrain_seconds"] = 2 + cell.seed + cell.samples_per_class / 100
    again = StudyResult(result.stored)
    assert all(np.isnan(one.seconds) for one in again.costs(PAIR))


def test_the_figure_of_cost_fills_the_choices_of_the_front(read):
    result = read(make_study(["collage", "mixup"], budgets=BUDGETS, sizes=(1, 8), seeds=6))
    found = result.costs(PAIR)
    with style():
        panels = accuracy_by_cost(result, PAIR, found).axes
    for panel, size in zip(panels, (1, 8), strict=True):
        points = [line for line in panel.lines if len(line.get_xdata()) == 1]
        filled = {
            (line.get_xdata()[0], line.get_ydata()[0])
            for line in points
            if line.get_markerfacecolor() != "white"
        }
        assert filled == {(c.images, c.score.mean) for c in found if c.size == size and c.on_front}


@pytest.mark.usefixtures("figures_by_name")
def test_figures_of_budgets_and_cost_are_drawn_where_there_is_something_to_see(read, tmp_path):
    one = save_figures(read(make_study(["mixup"], seeds=2)), tmp_path / "one")
    assert not [path for path in one if path.name.startswith(("budgets", "cost", "parameter"))]
    several = make_study(["mixup"], seeds=2, budgets=BUDGETS, sizes=(1, 2, 4, 8, 16, 32, 64))
    names = {path.name for path in save_figures(read(several), tmp_path / "several")}
    assert {"budgets-digits-to-letters.svg", "cost-digits-to-letters.svg"} <= names


GRID = ["mixup:alpha=0.1", "mixup:alpha=0.3", "mixup:alpha=1.0"]


@pytest.mark.usefixtures("figures_by_name")
def test_a_grid_of_one_parameter_has_a_table_and_a_figure(read, tmp_path):
    result = read(make_study([*GRID, "collage"], seeds=3))
    rows = Page(render_page(result)).tables["parameters-0"]
    assert [row["value"].number for row in rows] == [0.1, 0.3, 1.0]
    for row, label in zip(rows, GRID, strict=True):
        for k, size in enumerate(result.sizes):
            interval = mean_interval(100 * result.values(PAIR, label)[:, k])
            shown = row[str(size)]
            assert (shown.number, shown.low, shown.high) == pytest.approx(
                (interval.mean, interval.lower, interval.upper)
            )
    names = {path.name for path in save_figures(result, tmp_path / "figures")}
    assert "parameter-mixup_alpha-digits-to-letters.svg" in names


def test_arms_of_other_settings_are_no_point_of_a_grid(read):
    study = make_study(GRID[:2], seeds=2)
    own = Arm("slow", arm(GRID[2]).pipeline, Settings(learning_rate=0.001))
    study = study.__class__(**{**study.__dict__, "arms": (*study.arms, own)})
    assert "parameters-0" not in Page(render_page(read(study))).tables


def test_pages_and_exports_of_several_budgets_hold_every_cell(read):
    result = read(make_study(["mixup"], seeds=2, budgets=BUDGETS, references=True, ruler=(16,)))
    page = Page(render_page(result))
    assert len(page.tables["cells"]) == len(result.cells)
    assert {row["budget"].text for row in page.tables["cells"]} == set(LABELS)
    assert len(to_csv(result).splitlines()) == len(result.cells) + 1
    json.dumps(page.data["report"]["cells"])


@pytest.mark.usefixtures("figures_by_name")
def test_training_curves_of_several_budgets_do_not_overwrite_each_other(read, tmp_path):
    result = read(make_study(["mixup"], seeds=1, sizes=(1,), budgets=(500, 2000)))
    drawn = save_figures(result, tmp_path / "figures", train_curves=True)
    curves = [path for path in drawn if path.parent.name == "train-curves"]
    assert len(curves) == len(set(curves)) == len(result.cells)
