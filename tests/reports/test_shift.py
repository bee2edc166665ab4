"""The report of a study that was measured under shift: every number, and every mark."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from synthetic import ENVIRONMENT, fill, invent, make_study
from tables import Page

from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult
from augbench.store import Store

PAIR = ("digits", "letters")
KINDS = ("blur", "noise")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    study = make_study(["mixup", "collage"], seeds=6, shift=KINDS, operations=["noise", "mixing"])
    fill(folder, study, fail=[("mixup", 8, 3)])
    with Store.read(folder) as store:
        return StudyResult(store.study())


@pytest.fixture(scope="module")
def page(result):
    return Page(render_page(result))


def raw(result, arm, kind=None, strength=None, size=8):
    """The mean accuracy of each seed under some corruptions, from the cells alone."""
    wanted = [
        one.metric
        for one in result.shift_tests
        if kind in (None, one.kind) and strength in (None, one.strength)
    ]
    cells = {
        cell.seed: cell.result.metrics
        for cell in result.stored.cells
        if (cell.augmentation, cell.samples_per_class, cell.status) == (arm, size, "ok")
    }
    return np.array(
        [np.mean([cells[i][n] for n in wanted]) if i in cells else np.nan for i in range(6)]
    )


def close(cell, values, factor=100):
    values = factor * values[~np.isnan(values)]
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert cell.number == pytest.approx(values.mean())
    assert (cell.low, cell.high) == pytest.approx((low, high))


def test_every_accuracy_is_computed_again(result, page):
    rows = page.tables["shift-0"]
    found = {(row["corruption"].text, row["strength"].text): row for row in rows}
    assert len(found) == len(rows) == 1 + 3 * 4
    for (kind, strength), row in found.items():
        for i, arm in enumerate(result.augmentations):
            if kind == "clean":
                cells = [result.cell(PAIR, arm, 8, seed) for seed in range(6)]
                values = np.array(
                    [c.result.metrics["accuracy"] if c.status == "ok" else np.nan for c in cells]
                )
            else:
                values = raw(
                    result,
                    arm,
                    None if kind == "all" else kind,
                    None if strength == "all" else int(strength),
                )
            close(row[f"arm-{i}"], values)


def test_every_difference_is_computed_again(result, page):
    rows = page.tables["shift_effects-0"]
    assert len(rows) == 2 * 3
    for row in rows:
        kind = None if row["corruption"].text == "all" else row["corruption"].text
        delta = raw(result, row["augmentation"].text, kind) - raw(result, "none", kind)
        close(row["difference"], delta)
        assert row["n"].number == np.isfinite(delta).sum()
        assert row["p"].number <= row["p_adjusted"].number <= 1


def test_entries_are_marked_where_training_has_met_the_corruption(result, page):
    for row in page.tables["shift-0"]:
        marks = ["†" in row[f"arm-{i}"].text for i in range(3)]
        met = row["corruption"].text in ("noise", "all")
        assert marks == [False, met, met]
    for row in page.tables["shift_effects-0"]:
        met = row["corruption"].text in ("noise", "all")
        assert ("†" in row["difference"].text) == met
        assert row["met"].text == ("noise" if met else "·")
    assert "training has met an operation of this corruption" in page.text
    assert "2102.11273" in page.text


def test_multipliers_are_those_of_a_report_about_it(result, page):
    other = StudyResult(result.stored, metric="shift_accuracy")
    own = Page(render_page(other))
    assert "shift_multipliers-0" not in own.tables
    sizes = {(r["augmentation"].text, r["size"].text): r for r in own.tables["sizes-0"]}
    for row in page.tables["shift_multipliers-0"]:
        for size in ("1", "2", "4", "8"):
            expected = sizes[row["augmentation"].text, size]["multiplier"]
            assert row[size].value == expected.value
    for row in own.tables["accuracy-0"]:
        for size in (1, 2, 4, 8):
            close(row[str(size)], raw(other, row["augmentation"].text, size=size))


def test_the_terminal_has_one_line(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=400))
    (line,) = [line for line in text.getvalue().splitlines() if "under shift" in line]
    assert line.startswith("Accuracy under shift at s = 8, the mean over 2 corruptions")
    for arm in result.augmentations:
        shifted = raw(result, arm)
        assert f"{arm} {100 * np.nanmean(shifted):.1f}%" in line


@pytest.mark.usefixtures("figures_by_name")
def test_figures_have_a_panel_for_each_corruption(result, tmp_path):
    names = {path.name for path in save_figures(result, tmp_path)}
    assert "shift-digits-to-letters.svg" in names


def test_a_study_without_shift_has_nothing_of_it(tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=6))
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    page = Page(render_page(result))
    assert not [name for name in page.tables if name.startswith("shift")]
    assert math.isnan(result.metric_of(result.cells[0], "shift_accuracy"))
    assert not [name for name in result.cell_rows()[0] if "shift" in name or "[" in name]


def test_a_study_that_has_not_begun_under_shift_has_no_numbers(tmp_path):
    study = make_study(["mixup"], seeds=2, shift=KINDS)
    every = [(a, s, i) for a in ("none", "mixup") for s in (1, 2, 4, 8) for i in range(2)]
    fill(tmp_path, study, skip=every)
    with Store.read(tmp_path) as store:
        assert "shift-0" not in Page(render_page(StudyResult(store.study()))).tables


@pytest.mark.usefixtures("figures_as_svg")
def test_one_seed_no_baseline_or_a_corruption_without_numbers_is_no_error(tmp_path):
    one = make_study(["mixup"], seeds=1, baseline=None, shift=KINDS)
    fill(tmp_path / "one", one)
    two = make_study(["mixup"], seeds=2, shift=KINDS)
    broken = {test.metric for test in two.shift if test.kind == "noise"}
    with Store.open(tmp_path / "two") as store:
        store.plan(two, two.cells(), "")
        for cell in two.cells():
            result = invent(cell, two)
            there = {name: v for name, v in result.metrics.items() if name not in broken}
            store.record(cell, replace(result, metrics=there), ENVIRONMENT, "cpu")
    for name in ("one", "two"):
        with Store.read(tmp_path / name) as store:
            result = StudyResult(store.study())
        page = Page(render_page(result))
        assert ("shift_effects-0" in page.tables) == (name == "two")
        drawn = {path.name for path in save_figures(result, tmp_path / name)}
        assert "shift-digits-to-letters.svg" in drawn
        rows = {(r["corruption"].text, r["strength"].text): r for r in page.tables["shift-0"]}
        assert rows["blur", "all"]["arm-0"].number > 0
        assert (rows["noise", "all"]["arm-0"].text == "·") == (name == "two")
        print_results(result, Console(file=io.StringIO(), width=200))
