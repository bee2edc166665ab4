"""Readouts in reports: each has its verdict, and what one lacks leaves no gap in any section."""

import csv
import io
import json
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console
from synthetic import fill, make_study
from tables import Page

from augbench.cli import cli
from augbench.errors import UsageError
from augbench.reports.compare import compare
from augbench.reports.export import export, to_csv
from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult, View, find_view
from augbench.statistics import aulc, mean_interval, readouts_line
from augbench.store import Store

PAIR = ("digits", "letters")
SAME = ("digits", "digits")
ARMS = ["collage", "cutmix", "mixup"]  # of which the third is invented to help most


def stored(folder, study, **options):
    fill(folder, study, **options)
    with Store.read(folder) as store:
        return store.study()


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    study = make_study(ARMS, seeds=8, readouts=("linear", "knn", "full"), references=True)
    return stored(tmp_path_factory.mktemp("several"), study)


def printed(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=400))
    return " ".join(text.getvalue().split())


def of_mixup(result):
    rows = Page(render_page(result)).tables["readouts-0"]
    return {row["readout"].text: row for row in rows if row["augmentation"].text == "mixup"}


def test_each_readout_has_a_verdict_of_its_own(several):
    result = StudyResult(several)
    rows = of_mixup(result)
    assert [*rows] == ["linear", "knn", "full"]
    for name, row in rows.items():
        own = result.at(view=View(name))
        scores = own.scores(PAIR)
        area = aulc(scores["mixup"] - scores["none"], own.sizes)
        assert row["difference"].number == pytest.approx(100 * area.mean())
        assert (
            row["kind"].text
            == {"linear": "helps", "knn": "hurts", "full": "unclear"}[row["readout"].text]
        )


def test_the_change_between_readouts_is_paired_by_seed(several):
    result = StudyResult(several)
    rows = of_mixup(result)
    areas = {
        name: aulc(scores["mixup"] - scores["none"], result.sizes)
        for name in rows
        for scores in [result.at(view=View(name)).scores(PAIR)]
    }
    for name in ("knn", "full"):
        change = mean_interval(areas["linear"] - areas[name])
        assert rows[name]["change"].number == pytest.approx(100 * change.mean)
        assert rows[name]["change"].low == pytest.approx(100 * change.lower)
    assert rows["linear"]["change"].text == "–"


def test_a_line_says_where_the_readouts_disagree(several):
    text = printed(StudyResult(several))
    assert "These verdicts are by the readout linear, beside others: knn, full." in text
    assert (
        "The readouts disagree on mixup: by linear it helps; by knn it hurts; by full no "
        "difference is established. The difference by linear is established to be another than by "
    ) in text


def test_readouts_that_agree_are_told_so(read):
    study = make_study(["mixup"], seeds=8, readouts=("linear", "own-head"), pairs=[SAME])
    text = printed(read(study))
    assert "The readouts agree on what is established on average over the sizes." in text


def test_established_and_not_is_no_proof_of_a_difference(several):
    change = next(
        one for one in StudyResult(several).readout_changes(PAIR) if one.augmentation == "mixup"
    )
    line = readouts_line("mixup", {"linear": 1, "full": 0}, [change], alpha=0.0)
    assert line.endswith("That any difference is another than by linear is not established.")
    assert readouts_line("mixup", {"linear": 1, "full": 1}, [change]) == ""


def test_views_of_another_readout_are_exploratory_and_named(several):
    result = StudyResult(several, in_view=View("knn"))
    condition = result.condition(PAIR)
    assert not condition.primary
    assert condition.label == "digits → letters, knn"
    page = Page(render_page(result))
    assert "Test accuracy on letters in %, by pretraining samples per class of digits " in "".join(
        page.words
    )
    assert "(nearest neighbours)" in "".join(page.words)
    assert "pretrained on digits, nearest neighbours on letters" in printed(result)


def test_several_numbers_of_finetuning_images_are_views_too(read):
    study = make_study(
        ["mixup"], seeds=6, readouts=("linear", "own-head"), pairs=[SAME], finetune_sizes=(16, 64)
    )
    result = read(study)
    assert result.view == View("linear", 64)
    rows = Page(render_page(result)).tables["readouts-0"]
    assert [row["readout"].text for row in rows] == [
        "linear on 64 finetuning images a class",
        "linear on 16 finetuning images a class",
        "own-head",
    ]
    assert {row["finetune_samples_per_class"] for row in result.cell_rows()} == {16, 64, None}


@pytest.mark.usefixtures("figures_as_svg")
@pytest.mark.parametrize("readout", ["knn", "own-head", "full"])
def test_what_a_readout_lacks_leaves_no_gap(readout, tmp_path):
    pair = SAME if readout == "own-head" else PAIR
    study = make_study(
        ["mixup"], seeds=6, sizes=(1, 4), readouts=(readout,), pairs=[pair], references=True
    )
    result = StudyResult(stored(tmp_path / "store", study))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, text = Page(render_page(result)), printed(result)
        drawn = save_figures(result, tmp_path / "figures")
    for name, rows in page.tables.items():
        assert rows or name == "readout", name  # which the page's script fills
        for key in rows[0] if rows and name != "cells" else ():
            column = [row[key].text for row in rows]
            assert not all(one in ("·", "nan") for one in column), (name, key)
    assert ("calibration-0" in page.tables) == (readout != "knn")
    assert ("ece_scaled" in page.tables.get("calibration-0", [{}])[0]) == (readout == "full")
    assert ("transfer-0" in page.tables) == (readout != "own-head")
    names = {path.stem for path in drawn}
    stem = "-to-".join(pair)
    assert f"learning-curves-{stem}-{readout}" in names
    assert (f"calibration-{stem}-{readout}" in names) == (readout != "knn")
    metrics = {one["name"] for one in page.data["curves"]["metrics"]}
    assert ("nll" in metrics) == (readout != "knn")
    assert ("nll_scaled" in metrics) == (readout == "full")
    shown = "".join(page.words) + text
    assert "linear" not in shown.replace("learning", "")
    assert ("all weights finetuned on letters" in text) == (readout == "full")
    if readout == "own-head":
        assert "finetuned on" not in shown
        assert "accuracy in %: the pretraining head on digits" in text
        assert "finetuning" not in "".join(page.words)


@pytest.mark.usefixtures("figures_by_name")
def test_training_curves_are_told_apart_by_readout(read, tmp_path):
    study = make_study([], seeds=1, sizes=(1,), readouts=("linear", "knn"))
    names = {path.stem for path in save_figures(read(study), tmp_path, train_curves=True)}
    assert {f"digits-to-letters-none-s1-{one}-seed0" for one in ("linear", "knn")} <= names


def test_a_metric_that_a_readout_lacks_is_one_clear_line(several, tmp_path):
    with pytest.raises(UsageError, match=r"^metric 'nll': the readout 'knn' has none; it has acc"):
        StudyResult(several, metric="nll", in_view=View("knn"))
    result = StudyResult(several, metric="nll")  # of the linear one
    assert [*of_mixup(result)] == ["linear", "full"]
    fill(tmp_path, make_study(["mixup"], seeds=2, readouts=("knn",)))
    found = CliRunner().invoke(cli, ["report", "--out", str(tmp_path), "--metric", "nll"])
    assert found.exit_code != 0
    assert isinstance(found.exception, (UsageError, SystemExit))
    told = found.output + str(found.exception)
    assert "the readout 'knn' has none" in told


def test_a_study_is_not_run_for_a_metric_that_its_first_readout_lacks():
    data = ["--pre-train-dataset", "nothing", "--finetune-dataset", "nothing"]  # nor looked at
    arguments = ["run", "--readout", "knn", "--metric", "ece", "--dry-run", *data]
    found = CliRunner().invoke(cli, arguments)
    told = found.output + str(found.exception)
    assert "metric 'ece': the readout 'knn' has none" in told


def test_report_takes_the_readout_that_it_is_about(several, tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=2, sizes=(1, 2), readouts=("linear", "knn")))
    arguments = ["report", "--out", str(tmp_path), "--no-figures", "--full", "--readout"]
    text = CliRunner().invoke(cli, [*arguments, "knn"]).output
    assert "nearest neighbours on" in " ".join(text.split())
    found = CliRunner().invoke(cli, [*arguments, "full"])
    assert "no results of full; it has those of linear; knn" in found.output + str(found.exception)


def test_find_view_takes_the_first_that_fits():
    views = (View("linear", 64, True), View("knn", 16, True), View("linear", 16, False))
    assert find_view(views) == views[0]
    assert find_view(views, finetune_samples=16) == views[1]
    assert find_view(views, tuned=False) == views[2]
    with pytest.raises(UsageError, match="no results of knn, at the defaults"):
        find_view(views, readout="knn", tuned=False)


def test_find_view_knows_the_only_number_of_finetuning_images():
    views = (View("own-head"), View("knn"))
    assert find_view(views, finetune_samples=64, usual=64) == views[1]
    with pytest.raises(UsageError) as caught:
        find_view(views, finetune_samples=0, usual=64)
    assert "no results of 0 finetuning images a class; it has those of own-head; knn on 64" in str(
        caught.value
    )


def test_cells_are_told_apart_by_their_view(several):
    result = StudyResult(several)
    rows = Page(render_page(result)).tables["cells"]
    assert {row["view"].text for row in rows} == {"linear", "knn", "full"}
    assert "view" not in Page(render_page(StudyResult(several))).tables["effects-0"][0]


def test_seconds_are_those_of_one_readout(several):
    """Readouts that share a pretraining are no pack of cells, which would share its time."""
    rows = Page(render_page(StudyResult(several))).tables["cost-0"]
    assert {row["seconds"].number for row in rows} == {1.0}


def test_two_studies_are_compared_by_the_same_readout(several, tmp_path):
    other = StudyResult(stored(tmp_path, make_study(ARMS, seeds=8, readouts=("knn", "linear"))))
    found = compare(StudyResult(several), other)
    assert found.views == (View("linear"), View("linear"))
    assert all(row.difference.mean == 0 for row in found.rows)
    only = StudyResult(stored(tmp_path / "k", make_study(ARMS, seeds=8, readouts=("knn",))))
    found = compare(StudyResult(several), only)
    assert found.views == (View("linear"), View("knn"))
    values = only.values(PAIR, "mixup", (8,)) - StudyResult(several).values(PAIR, "mixup", (8,))
    (row,) = [
        row for row in found.rows if (row.augmentation, row.samples_per_class) == ("mixup", 8)
    ]
    assert row.difference.mean == pytest.approx(float(np.mean(values)))


def test_exports_name_the_readout_of_every_row(several, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    result = StudyResult(several)
    rows = csv.DictReader(io.StringIO(to_csv(result)))
    assert {row["readout"] for row in rows} == {"linear", "knn", "full"}
    export(result, tmp_path / "cells.parquet")
    table = parquet.read_table(tmp_path / "cells.parquet")
    assert {row["readout"] for row in table.to_pylist()} == {"linear", "knn", "full"}
    assert {str(table.schema.field(name).type) for name in ("tuned", "collapsed")} == {"bool"}
    export(result, tmp_path / "cells.json")
    assert json.loads((tmp_path / "cells.json").read_text())["trials"] == []
