"""Tuning in reports: default and tuned side by side, the choices, the trials, what was spent."""

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console
from synthetic import fill, make_study
from tables import Page

from augbench.cli import cli
from augbench.protocol.references import CEILING, FLOOR
from augbench.reports.compare import compare
from augbench.reports.export import to_csv, to_json
from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult, View
from augbench.statistics import aulc, best_of, mean_interval, sensitivity, tuning_sentence
from augbench.store import Store
from augbench.tuning.choosing import choose

PAIR = ("digits", "letters")
SIZES = (1, 4)
ARMS = ["collage", "cutmix", "mixup"]  # of which the third is invented to help most


def stored(folder, study, **options):
    fill(folder, study, **options)
    with Store.read(folder) as store:
        return store.study()


def tuned_study(**tuning):
    return make_study(ARMS, sizes=SIZES, seeds=8, tuning={"trials": 6, **tuning}, references=True)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return StudyResult(stored(tmp_path_factory.mktemp("tuned"), tuned_study()))


@pytest.fixture(scope="module")
def page(result):
    return Page(render_page(result))


def printed(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=400))
    return text.getvalue()


def row_of(rows, **wanted):
    """The row whose columns have these texts."""
    (found,) = [row for row in rows if all(row[key].text == text for key, text in wanted.items())]
    return found


def scores(result, arm, size):
    """Validation accuracies [seeds, trials], read from the cells one by one."""
    cells = [
        cell for cell in result.trials if (cell.augmentation, cell.samples_per_class) == (arm, size)
    ]
    seeds = sorted({cell.seed for cell in cells})
    table = np.full((len(seeds), 1 + max(cell.trial for cell in cells)), np.nan)
    for cell in cells:
        table[seeds.index(cell.seed), cell.trial] = cell.result.metrics["accuracy"]
    return table


def test_all_sections_are_about_tuned_results(result, page):
    assert result.view.tuned
    values = result.values(PAIR, "mixup", (4,))
    row = row_of(page.tables["accuracy-0"], augmentation="mixup")
    assert row["4"].number == pytest.approx(100 * values.mean())
    text = " ".join(printed(result).split())
    assert "pretrained on digits, finetuned on letters, tuned" in text


def test_default_and_tuned_stand_side_by_side(result, page):
    plain, tuned = (result.at(view=View(tuned=one)) for one in (False, True))
    rows = {(row["augmentation"].text, row["size"].text): row for row in page.tables["tuning-0"]}
    assert len(rows) == 8
    for (arm, size), row in rows.items():
        both = [at.values(PAIR, arm, (int(size),))[:, 0] for at in (plain, tuned)]
        change = mean_interval(100 * (both[1] - both[0]))
        assert row["default"].number == pytest.approx(100 * both[0].mean())
        assert row["tuned"].number == pytest.approx(100 * both[1].mean())
        assert (row["gain"].number, row["gain"].low) == pytest.approx((change.mean, change.lower))


def test_a_sentence_says_whether_a_finding_survives(result, page):
    row = row_of(page.tables["tuning-effects-0"], augmentation="mixup")
    areas = [
        aulc(scores["mixup"] - scores["none"], SIZES)
        for one in (False, True)
        for scores in [result.at(view=View(tuned=one)).scores(PAIR)]
    ]
    assert row["change"].number == pytest.approx(100 * (areas[1] - areas[0]).mean())
    assert row["words"].text.startswith(
        "mixup: helps at the defaults, tuned no difference is established; tuning changes the "
        "difference by −"
    )


def test_a_change_that_is_not_established_is_no_claim(result):
    change = next(one for one in result.tuning_changes(PAIR) if one.augmentation == "mixup")
    text = tuning_sentence("mixup", 1, 0, change, alpha=0.0)
    assert "that tuning changes it is not established" in text
    assert tuning_sentence("mixup", -1, -1, None) == "mixup: hurts at the defaults and tuned."


def test_chosen_values_are_those_of_the_best_trial(result, page):
    rows = page.tables["tuning-choices-0"]
    assert {row["parameter"].text for row in rows} == {"learning rate", "mixup.alpha"}
    for row in rows:
        arm, size = row["augmentation"].text, int(row["size"].text)
        trial = choose(scores(result, arm, size))
        name = "learning_rate" if row["parameter"].text == "learning rate" else "mixup.alpha"
        value = result.tuning.values(arm)[trial].get(name, result.tuning.default(arm, name))
        assert row["chosen"].number == value
        assert trial == 2  # whose rate is next to the best one
        assert "‡" not in row["chosen"].text
    assert {row["default"].text for row in rows} == {"0.01", "–"}  # invented arms have no alpha


def test_a_value_at_the_end_of_its_range_is_marked_and_a_default_named(tmp_path):
    study = tuned_study()
    search = study.search
    low = tuple({**one, "learning_rate": 0.0011} if one else one for one in search.values["none"])
    result = StudyResult(stored(tmp_path, study))
    told = result.stored.description["tuning"]
    told["values"]["none"] = list(low)
    rows = Page(render_page(result)).tables["tuning-choices-0"]
    assert [row["chosen"].text for row in rows if row["augmentation"].text == "none"] == [
        "0.0011 ‡",
        "0.0011 ‡",
    ]


def test_defaults_that_are_chosen_are_called_so(read):
    result = read(tuned_study(trials=2))  # the other trial's rate is far from the best
    rows = Page(render_page(result)).tables["tuning-choices-0"]
    assert {row["chosen"].text for row in rows} == {"default"}


def test_trials_are_counted_and_the_expected_best_told(result, page):
    rows = page.tables["tuning-trials-0"]
    values = {arm: result.tuning.values(arm) for arm in ("none", *ARMS)}
    for row in rows:
        arm, size = row["augmentation"].text, int(row["size"].text)
        best = best_of(scores(result, arm, size))
        for k in (1, 2, 4, 6):
            assert row[f"best-{k}"].number == pytest.approx(100 * best[k - 1])
        wild = sum(one.get("learning_rate", 0) > 0.03 for one in values[arm])
        assert int(row["diverged"].text) == 2 * wild  # tuning seeds
        assert row["failed"].text == "0"
    assert sum(int(row["diverged"].text) for row in rows) > 0
    words = "".join(page.words)
    assert "An approximation: points that spread evenly are not independent." in words


def test_sensitivity_is_that_of_the_trials(result, page):
    for row in page.tables["tuning-parameters-0"]:
        arm, size = row["augmentation"].text, int(row["size"].text)
        if row["parameter"].text != "learning rate":
            continue
        values = [one.get("learning_rate", 0.01) for one in result.tuning.values(arm)]
        found = sensitivity(values, scores(result, arm, size))
        assert row["correlation"].number == pytest.approx(found.correlation)
        thirds = [row[key].number for key in ("low", "middle", "high")]
        assert thirds == pytest.approx([100 * third for third in found.thirds])


def test_the_terminal_has_three_short_lines_on_tuning(result):
    lines = printed(result).splitlines()
    assert (
        "Tuned: 6 trials for every arm and size, chosen on 32 validation images a class by 2 seeds "
        "that are not reported; intervals are for these settings, not for tuning."
    ) in lines
    (verdicts,) = [line for line in lines if line.startswith("Verdicts under tuning: ")]
    assert "helps at the defaults, tuned no difference is established (collage, mixup)" in verdicts
    assert verdicts.endswith("The difference changes for collage, mixup.")
    about = [line for line in lines if "trials" in line or "tuning" in line]
    assert len(about) <= 3


def test_what_a_reviewer_asks_stands_in_the_settings(result):
    text = render_page(result)
    design = text[text.index('id="tuning-design"') :]
    design = design[: design.index("</dl>")]
    finetuning = 256
    labels = 2 * 3 * (32 + finetuning)
    for told in (
        "learning rate in 0.001..0.1 log, mixup.alpha in 0.05..2 log",
        "6 for every arm and size, the first at its defaults",
        "the mean over 2 seeds of which nothing else is reported",
        "32 validation images a class",
        f"up to {labels:,} of letters: 2 seeds × 3 classes × (32 to validate + 256 to finetune on)",
        "the settings that were chosen",
        "96: ",
    ):
        assert told in design, told


def test_fewer_validation_images_than_asked_are_told(read):
    result = read(tuned_study(validation=20))
    assert "on 20 validation images a class (fewer than the 32 asked for)" in printed(result)


def test_tuning_within_seeds_is_another_design(tmp_path):
    result = StudyResult(stored(tmp_path, tuned_study(within=True, trials=3)))
    text, page = printed(result), Page(render_page(result))
    assert (
        "Tuned: 3 trials for every arm, size and seed, of which each seed chooses on 32 validation "
        "images a class; intervals cover tuning and training."
    ) in text
    for row in page.tables["tuning-trials-0"]:
        table = scores(result, row["augmentation"].text, int(row["size"].text))
        best = np.mean([best_of(table[[k]]) for k in range(8)], axis=0)
        assert row["best-3"].number == pytest.approx(100 * best[-1])
    assert "up to 768 of letters: 8 seeds × 3 classes × 32 to validate" in render_page(result)


def test_the_pretraining_head_is_tuned_by_folds(tmp_path):
    study = make_study(
        ["mixup"], pairs=[("digits", "digits")], sizes=SIZES, seeds=6, readouts=("own-head",),
        tuning={},
    )  # fmt: skip
    result = StudyResult(stored(tmp_path, study))
    page, text = Page(render_page(result)), printed(result)
    assert "chosen on folds of the pretraining images by 2 seeds that are not reported" in text
    assert {row["size"].text for row in page.tables["tuning-trials-0"]} == {"4"}
    chosen = {
        (row["augmentation"].text, row["parameter"].text, row["size"].text): row["chosen"].text
        for row in page.tables["tuning-choices-0"]
    }
    assert chosen["mixup", "learning rate", "1"] == chosen["mixup", "learning rate", "4"]
    words = "".join(page.words)
    assert "At s = 1 the pretraining head has the choice of the next size." in words
    assert "up to 2 seeds × s pretraining images a class" in words


def test_trials_that_are_not_complete_leave_the_defaults(tmp_path):
    result = StudyResult(stored(tmp_path, tuned_study(), untried=7))
    assert not result.view.tuned
    text, page = printed(result), Page(render_page(result))
    assert (
        "Not tuned yet: 7 of 96 trials have no result. What is said here is at the defaults."
    ) in text
    assert "tuning-0" not in page.tables
    assert "tuning-choices-0" not in page.tables
    assert "finetuned on letters, tuned" not in " ".join(text.split())


def test_a_study_that_is_not_tuned_says_nothing_of_it(read):
    result = read(make_study(["mixup"], seeds=2))
    assert result.tuning is None
    assert not [name for name in Page(render_page(result)).tables if "tuning" in name]
    assert "uned" not in printed(result).replace("finetuned", "")


@pytest.mark.usefixtures("figures_by_name")
def test_figures_show_choices_and_trials(result, tmp_path):
    names = {path.stem for path in save_figures(result, tmp_path)}
    stem = "digits-to-letters"
    assert {f"tuned-{stem}", f"best-of-{stem}", f"sensitivity-{stem}"} <= names
    plain = result.at(view=View(tuned=False))
    others = {path.stem for path in save_figures(plain, tmp_path)}
    assert f"learning-curves-{stem}-linear-default" in others
    assert not names & others


def test_floor_and_ceiling_are_not_tuned(result):
    plain = result.at(view=View(tuned=False))
    for one in (FLOOR, CEILING):
        size = (one.samples_per_class,)
        assert (result.values(PAIR, "none", size) == plain.values(PAIR, "none", size)).all()


def test_the_export_has_every_trial(result):
    trials = json.loads(to_json(result))["trials"]
    assert len(trials) == 4 * 2 * 6 * 2
    for one in trials:
        assert set(one) >= {"augmentation", "samples_per_class", "trial", "seed", "fold", "values"}
        assert one["diverged"] == (one["values"].get("learning_rate", 0) > 0.03)
        if one["diverged"]:
            assert one["validation_accuracy"] == pytest.approx(1 / 3)
    rows = csv.DictReader(io.StringIO(to_csv(result)))
    assert {row["tuned"] for row in rows} == {"True", "False"}


def test_report_takes_defaults_or_tuned(tmp_path):
    fill(tmp_path, tuned_study(trials=3))
    arguments = ["report", "--out", str(tmp_path), "--no-figures", "--full"]
    texts = {
        flag: CliRunner().invoke(cli, [*arguments, *([flag] if flag else [])]).output
        for flag in ("", "--tuned", "--default")
    }
    assert texts[""] == texts["--tuned"]
    tables = {flag: text[text.index("accuracy in %:") :] for flag, text in texts.items()}
    assert "tuned" in tables["--tuned"].split("┏")[0].split()
    assert "tuned" not in tables["--default"].split("┏")[0].split()
    assert "Exploratory" in texts["--default"]


def test_two_tunings_are_compared_by_their_design(result, tmp_path):
    other = StudyResult(stored(tmp_path, tuned_study(seeds=3)))
    found = compare(result, other)
    assert found.views == (View(tuned=True), View(tuned=True))
    differing = {name: values for name, *values in found.settings}
    assert differing["tuning.seeds"] == ["2", "3"]
    assert not any("values" in name for name in differing)


def test_a_seed_that_was_tuned_at_a_collapsed_default_is_counted(tmp_path):
    result = StudyResult(stored(tmp_path, tuned_study(), low=[("mixup", 1, 2)]))
    rows = Page(render_page(result)).tables["tuning-0"]
    row = row_of(rows, augmentation="mixup", size="1")
    assert "(1 collapsed)" in row["default"].text
    assert "collapsed" not in row["tuned"].text


def test_an_arm_without_results_has_no_verdict_under_tuning(tmp_path):
    study = tuned_study()
    places = [("collage", size, seed) for size in SIZES for seed in range(8)]
    result = StudyResult(stored(tmp_path, study, fail=places))
    text = " ".join(printed(result).split())
    line = text[text.index("Verdicts under tuning") :].partition("More trials")[0]
    assert "collage" not in line
    assert "mixup" in line


def test_a_choice_is_borrowed_only_where_a_size_is_one(read):
    for sizes, borrowed in (((1, 2), True), ((2, 4), False)):
        study = make_study(["mixup"], sizes=sizes, seeds=2, readouts=("own-head",), tuning={})
        assert ("has the choice of the next size" in render_page(read(study))) is borrowed
