"""`--json`: one object on the standard output, and nothing else there."""

import json

import pytest
from synthetic import fill, make_study

from augbench.results import StudyResult
from augbench.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json") / "store"
    fill(folder, make_study(["mixup", "collage", "cutmix"], seeds=10))
    return folder


@pytest.fixture(scope="module")
def result(store):
    with Store.read(store) as opened:
        return StudyResult(opened.study())


def test_a_report_holds_every_mean_of_the_table(augbench, store, result):
    code, printed, errors = augbench("report", store, "--json", "--no-figures")
    found = json.loads(printed)
    assert (code, errors) == (0, "")
    assert (found["kind"], found["version"], found["written"]) == ("report", 1, [])
    assert found["study"]["arms"] == ["none", "mixup", "collage", "cutmix"]
    assert found["cells"]["done"] == found["cells"]["planned"] == len(result.cells)
    (condition,) = found["conditions"]
    assert condition["primary"]
    assert condition["shown"]
    listed = [
        {name: row[name] for name in ("samples_per_class", "mean", "lower", "upper", "n")}
        for row in condition["rows"]
        if row["samples_per_class"] is not None
    ]
    assert listed == [
        {name: row[name] for name in ("samples_per_class", "mean", "lower", "upper", "n")}
        for row in result.table()
    ]


def test_differences_are_those_of_the_analysis(augbench, store, result):
    printed = augbench("report", store, "--json", "--no-figures")[1]
    rows = json.loads(printed)["conditions"][0]["rows"]
    analysis = result.analysis(result.pairs[0])
    assert any(row["established"] for row in rows if "established" in row)
    for one in analysis.comparisons:
        own = {row["samples_per_class"]: row for row in rows if row["arm"] == one.augmentation}
        for size, of_size in zip((*result.sizes, None), (*one.by_size, one), strict=True):
            assert own[size]["difference"]["mean"] == of_size.difference.mean
            assert own[size]["p_corrected"] == of_size.p_adjusted
            assert own[size]["established"] == (of_size.p_adjusted <= 0.05)
    assert all("difference" not in row for row in rows if row["arm"] == "none")


def test_every_condition_of_a_study_is_there(augbench, tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=2, budgets=(4, 8), readouts=("linear", "knn")))
    found = json.loads(augbench("report", tmp_path, "--json", "--no-figures")[1])
    places = [(one["budget"], one["readout"], one["shown"]) for one in found["conditions"]]
    assert places == [
        ("8 steps", "linear", True),
        ("8 steps", "knn", False),
        ("4 steps", "linear", False),
        ("4 steps", "knn", False),
    ]
    assert [one["primary"] for one in found["conditions"]] == [True, False, False, False]
    assert found["study"]["primary_budget"] == "8 steps"
    # Nearest neighbours have no log loss.
    found = json.loads(augbench("report", tmp_path, "--json", "--no-figures", "--metric", "nll")[1])
    assert {one["readout"] for one in found["conditions"]} == {"linear"}


def test_the_condition_at_a_named_primary_budget_comes_first(augbench, tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=2, budgets=(4, 8), primary_budget=4))
    found = json.loads(augbench("report", tmp_path, "--json", "--no-figures")[1])
    assert found["study"]["primary_budget"] == "4 steps"
    places = [(one["budget"], one["primary"], one["shown"]) for one in found["conditions"]]
    assert places == [("4 steps", True, True), ("8 steps", False, False)]


def test_what_is_not_known_is_null_and_failures_are_told(augbench, tmp_path):
    lost = [("none", 1, 0), ("mixup", 1, 0)]
    fill(tmp_path, make_study(["mixup"], seeds=1), fail=lost)
    found = json.loads(augbench("report", tmp_path, "--json", "--no-figures")[1])
    rows = found["conditions"][0]["rows"]
    assert rows[0]["mean"] is None
    assert rows[1]["lower"] is None
    assert len(found["failures"]) == found["cells"]["failed"] == 2
    assert {one["kind"] for one in found["failures"]} == {"error"}
    assert json.loads(augbench("status", tmp_path, "--json")[1])["failures"] == found["failures"]


def test_status_and_compare_have_their_objects(augbench, store, tmp_path):
    found = json.loads(augbench("status", store, "--json")[1])
    assert (found["kind"], found["claims"]) == ("status", [])
    fill(tmp_path, make_study(["mixup"], seeds=10))
    found = json.loads(augbench("compare", store, tmp_path, "--json")[1])
    assert [one["folder"] for one in found["studies"]] == [str(store), str(tmp_path)]
    assert {row["arm"] for row in found["rows"]} == {"none", "mixup"}
    assert all(row["difference"]["mean"] == 0 for row in found["rows"])


def test_a_dry_run_has_no_results(augbench, tmp_path):
    code, printed, errors = augbench("run", "--dry-run", "--json", "--out", tmp_path)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: --json is for results")
