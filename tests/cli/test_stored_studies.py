import csv
import json

import pytest
from synthetic import fill, make_study

from augbench.store import FILE_NAME


@pytest.fixture
def store(tmp_path):
    """A store with two studies."""
    folder = tmp_path / "store"
    fill(folder, make_study(["collage"], seeds=2), command="augbench run --aug collage")
    fill(folder, make_study(["mixup"], seeds=3), command="augbench run --aug mixup")
    return folder


def test_reports_choose_among_the_studies_of_a_store(augbench, store):
    code, printed, _ = augbench("report", "--out", store, "--list")
    assert code == 0
    first, command, second, _ = printed.splitlines()
    assert first.startswith("1: digits → letters: none, collage; 2 seeds; last run 20")
    assert second.startswith("2: digits → letters: none, mixup; 3 seeds; last run 20")
    assert command.strip() == "augbench run --aug collage"
    assert "mixup" in augbench("report", "--out", store, "--no-figures")[1]
    printed = augbench("report", "--out", store, "--no-figures", "--study", 1)[1]
    assert "collage" in printed
    assert "mixup" not in printed
    code, _, errors = augbench("report", "--out", store, "--study", 9)
    assert (code, errors) == (2, f"error: no study 9 in '{store / FILE_NAME}'; it holds [1, 2]\n")


def test_which_study_of_several_is_shown_is_told_in_the_terminal_the_page_and_json(
    augbench, store, tmp_path
):
    page, told = tmp_path / "page.html", "this is study 2, the latest of 2 in the store; others: "
    told += "augbench report with --study 1, and with --list to see what they are"
    printed = augbench("report", store, "--no-figures", "--html", page)[1]
    assert printed.count(told) == augbench("status", store)[1].count(told) == 1
    assert page.read_text().count(told) == 1
    found = json.loads(augbench("report", store, "--no-figures", "--json")[1])
    assert found["other_studies"] == told
    assert (found["study"]["number"], found["study"]["in_store"]) == (2, 2)
    printed = augbench("report", store, "--no-figures", "--study", 1)[1]
    assert "this is study 1, of 2 in the store; others: augbench report with --study 2" in printed


def test_studies_that_differ_in_their_primary_budget_are_told_apart_in_the_list(augbench, tmp_path):
    for primary in (None, 500):
        fill(tmp_path, make_study(["mixup"], seeds=1, budgets=(500, 2000), primary_budget=primary))
    first, _, second, _ = augbench("report", tmp_path, "--list")[1].splitlines()
    assert "primary" not in first
    assert "; 1 seeds; primary: 500 steps; last run" in second


def test_a_store_of_one_study_says_nothing_of_others(augbench, tmp_path):
    fill(tmp_path / "one", make_study(["mixup"], seeds=2))
    assert "in the store" not in augbench("report", tmp_path / "one", "--no-figures")[1]
    found = augbench("report", tmp_path / "one", "--no-figures", "--json")[1]
    assert json.loads(found)["other_studies"] is None


def test_a_report_writes_a_page(augbench, store, tmp_path):
    page = tmp_path / "report.html"
    code, printed, _ = augbench("report", "--out", store, "--html", page, "--no-figures")
    assert code == 0
    assert f"wrote {page}" in printed
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert not list(store.glob("*.png"))


def test_intervals_have_the_confidence_that_is_asked_for(augbench, store):
    _, printed, _ = augbench(
        "report", "--out", store, "--no-figures", "--full", "--confidence", "0.9"
    )
    assert "mean ± 90 % t interval" in printed
    assert "90% interval" in printed
    _, printed, _ = augbench("report", "--out", store, "--no-figures", "--confidence", "0.9")
    assert "(90 % interval)" in printed
    code, _, errors = augbench("report", "--out", store, "--confidence", "95")
    assert code == 2
    assert errors.startswith("error: --confidence: expected a share between 0 and 1, got 95")


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_study_is_exported(augbench, store, tmp_path, suffix):
    file = tmp_path / f"cells.{suffix}"
    code, printed, _ = augbench("export", file, "--out", store)
    assert (code, printed) == (0, f"wrote {file}: 24 cells of study 2, of 2 in the store\n")
    text = file.read_text()
    rows = list(csv.DictReader(text.splitlines())) if suffix == "csv" else json.loads(text)["cells"]
    assert {row["augmentation"] for row in rows} == {"none", "mixup"}


def test_stores_are_merged_and_compared(augbench, store, tmp_path):
    other, out = tmp_path / "other", tmp_path / "merged"
    fill(other, make_study(["mixup"], seeds=4))
    code, printed, errors = augbench("merge", store, other, "--out", out)
    assert (code, errors) == (0, "")
    assert printed == f"40 cells of 3 studies in {out}; 24 were in more than one store\n"
    code, printed, _ = augbench("compare", store, other)
    assert code == 0
    assert "cells: 24 in both" in printed
    assert "the cells in both agree up to rounding" in printed
    assert "environments: the same" in printed
    assert "digits → letters, mixup" in printed


def test_stores_that_disagree_make_the_exit_code_1(augbench, tmp_path):
    study = make_study(["mixup"], seeds=1, sizes=(1,))
    fill(tmp_path / "a", study)
    fill(tmp_path / "b", study, low=[("none", 1, 0), ("mixup", 1, 0)])
    code, printed, errors = augbench(
        "merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "c"
    )
    assert code == 1
    assert printed.count("disagree: digits→letters") == 2
    assert errors.startswith("error: 2 cells disagree by more than rounding explains")
    code, printed, _ = augbench("compare", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert printed.count("disagree:") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "cells.xlsx", "--out", "STORE"], "ends in .csv, .json or .parquet"),
        (["export", "cells.csv", "--out", "nowhere"], "no store at"),
        (["merge", "STORE", "nowhere", "--out", "new"], "no store at"),
        (["merge", "STORE", "STORE", "--out", "STORE"], "holds a store already"),
        (["compare", "STORE", "nowhere"], "no store at"),
        (["compare", "STORE", "STORE", "--second-study", "7"], "no study 7"),
    ],
)
def test_bad_input_is_one_clear_line(augbench, store, monkeypatch, arguments, message):
    monkeypatch.chdir(store.parent)
    code, _, errors = augbench(*(str(store) if one == "STORE" else one for one in arguments))
    assert code == 2
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert message in line
