"""A cell at chance is counted and named beside every mean that it is in."""

import csv
import io

import pytest
from rich.console import Console
from synthetic import make_study
from tables import Page

from augbench.reports.export import export, to_csv
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results

LOW = [("mixup", 4, 2), ("mixup", 8, 2), ("none", 1, 0)]


@pytest.fixture
def result(read):
    return read(make_study(["collage", "mixup"], seeds=7), low=LOW)


def test_the_cells_that_collapsed_are_those_at_chance(result):
    low = result.collapsed(("digits", "letters"))
    found = [
        (label, size, seed)
        for label, table in low.items()
        for seed, row in enumerate(table)
        for size, one in zip(result.sizes, row, strict=True)
        if one
    ]
    assert sorted(found) == sorted(LOW)


def test_tables_of_the_page_count_them_beside_each_mean(result):
    tables = Page(render_page(result)).tables
    marked = {
        (name, row["augmentation"].text, row["size"].text if "size" in row else "", key)
        for name, rows in tables.items()
        if name != "cells"
        for row in rows
        for key, cell in row.items()
        if cell.text.endswith(" collapsed)")
    }
    assert {("accuracy-0", "mixup", "", "4"), ("accuracy-0", "none", "", "1")} <= marked
    assert ("accuracy-0", "mixup", "", "1") not in marked
    assert ("sizes-0", "mixup", "8", "difference") in marked
    # The baseline's collapse is in every difference at its size.
    assert ("sizes-0", "collage", "1", "difference") in marked
    assert ("sizes-0", "collage", "4", "difference") not in marked
    (effect,) = [row for row in tables["effects-0"] if row["augmentation"].text == "mixup"]
    assert effect["aulc"].text.endswith(" (2 collapsed)")
    assert effect["baseline_aulc"].text.endswith(" (1 collapsed)")
    assert effect["difference"].text.endswith(" (3 collapsed)")


def test_the_terminal_marks_the_means_and_names_the_cells(result):
    printed = io.StringIO()
    print_results(result, Console(file=printed, width=200))
    text = printed.getvalue()
    assert text.count("✗1") == 3
    assert text.rstrip().endswith("hide: none s=1 seed 0, mixup s=4 seed 2, mixup s=8 seed 2")
    assert "2 of 28 cells with it (seed 2 at 4 and 8), 1 without it (seed 0 at 1)" in text


def test_a_study_without_collapses_says_nothing_of_them(read):
    result = read(make_study(["mixup"], seeds=7))
    printed = io.StringIO()
    print_results(result, Console(file=printed, width=200))
    assert "collapsed" not in printed.getvalue().lower()
    assert "✗" not in printed.getvalue()


def test_exports_tell_which_cells_collapsed(result, tmp_path):
    rows = csv.DictReader(to_csv(result).splitlines())
    found = [
        (row["augmentation"], int(row["samples_per_class"]), int(row["seed"]))
        for row in rows
        if row["collapsed"] == "True"
    ]
    assert sorted(found) == sorted(LOW)


def test_parquet_holds_budgets_as_text_and_collapses_as_truth_values(result, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export(result, tmp_path / "cells.parquet")
    rows = parquet.read_table(tmp_path / "cells.parquet").to_pylist()
    assert sum(row["collapsed"] for row in rows) == len(LOW)
    assert {row["budget"] for row in rows} == {"2,000 steps"}


def test_an_untrained_backbone_has_not_collapsed(read):
    result = read(make_study(["mixup"], seeds=3, references=True), low=[("none", 0, 0)])
    (floor,) = [row for row in result.cell_rows() if row["role"] == "floor" and row["seed"] == 0]
    assert floor["collapsed"] is False


def test_each_budget_has_collapses_of_its_own(read):
    study = make_study(["mixup"], seeds=7, budgets=(500, 2000))
    result = read(study, low=LOW[:1])
    at = {budget: result.at(budget).collapsed_cells for budget in result.budgets}
    assert [[cell.seed for cell in cells] for cells in at.values()] == [[2], [2]]
    rows = Page(render_page(result)).tables["budgets-0"]
    assert [row["change"].text.endswith("(2 collapsed)") for row in rows] == [
        row["size"].text in ("all", "4") for row in rows
    ]
