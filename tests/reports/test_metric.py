"""Reports about any metric, of unequal classes, and of studies that learnt nothing."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from synthetic import ENVIRONMENT, collapse, fill, invent, make_study
from tables import Page

from augbench.labels import encode
from augbench.protocol.metrics import COMPARABLE, metric
from augbench.reports.compare import compare
from augbench.reports.export import to_csv, to_json
from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult
from augbench.store import Store


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    study = make_study(
        ["mixup", "collage"], seeds=6, references=True, budgets=(500, 2000), shift=["blur", "noise"]
    )
    fill(folder, study, fail=[("mixup", 2, 3)])
    with Store.read(folder) as store:
        return store.study()


def unequal(stored, labels):
    """The same study as if its test images had these labels; predictions are as right as before."""
    images = np.asarray(labels)
    cells = [
        replace(cell, result=replace(cell.result, predicted=_predicted(cell.result, images)))
        if cell.status == "ok"
        else cell
        for cell in stored.cells
    ]
    return replace(
        stored,
        cells=tuple(cells),
        test_labels={**stored.test_labels, "letters": encode(images, 3)},
    )


def _predicted(result, labels):
    right = np.unpackbits(np.frombuffer(result.correct, np.uint8), count=len(labels)).astype(bool)
    return encode(np.where(right, labels, (labels + 1) % 3), 3)


UNEQUAL = np.repeat([0, 1, 2], [400, 80, 20])


def printed(result):
    text = io.StringIO()
    print_results(result, Console(file=text, width=200))
    return text.getvalue()


@pytest.mark.parametrize("name", COMPARABLE)
def test_the_terminal_and_the_page_are_about_the_metric(stored, name):
    result, one = StudyResult(stored, metric=name), metric(name)
    text, page = printed(result), Page(render_page(result))
    assert f"{one.short} in {one.unit}" in text
    assert one.unit_of_difference in text
    for row in page.tables["effects-0"]:
        label = row["augmentation"].text
        (found,) = [
            c for c in result.analysis(("digits", "letters")).comparisons if c.augmentation == label
        ]
        assert row["difference"].number == pytest.approx(one.factor * found.difference.mean)
    assert page.data["curves"]["metrics"][0]["name"] == name
    if name not in ("accuracy", "balanced_accuracy", "shift_accuracy"):
        assert "accuracy points" not in re.sub(r"In accuracy points, paired by seed", "", text)
    # A single image has no share in any other metric; and calibration does not rise with labels.
    sizes = page.tables["sizes-0"][0]
    assert ("beyond" in sizes) == (name == "accuracy")
    assert ("multiplier" in sizes) == ("ece" not in name)
    assert ("Label multipliers are left out" in text) == ("ece" in name)


@pytest.mark.usefixtures("figures_by_name")
def test_figures_of_another_metric_have_a_folder_of_their_own(stored, tmp_path):
    paths = save_figures(StudyResult(stored, metric="ece"), tmp_path)
    assert {path.parent.name for path in paths} == {"ece"}
    drawn = {path.name for path in paths}
    assert "learning-curves-digits-to-letters.svg" in drawn
    assert "budgets-digits-to-letters.svg" in drawn
    assert "label-multipliers-digits-to-letters.svg" not in drawn


def test_of_accuracy_lower_is_no_better_and_of_log_loss_it_is(stored):
    assert "lower is better" not in printed(StudyResult(stored))
    text = printed(StudyResult(stored, metric="nll"))
    assert "log loss in nats (lower is better): pretrained on digits" in text
    assert re.search(r"mixup: no clear effect.*: −0\.\d{3} nats of log loss on average", text)


def test_two_studies_are_compared_by_the_metric(stored):
    result = StudyResult(stored, metric="nll")
    rows = compare(result, StudyResult(stored)).rows
    (first,) = [r for r in rows if (r.augmentation, r.samples_per_class) == ("mixup", 8)]
    values = result.values(("digits", "letters"), "mixup", (8,), "nll")
    assert first.first.mean == pytest.approx(values.mean())
    assert first.difference.mean == 0


def test_unequal_classes_are_told_beside_every_accuracy(stored):
    result = StudyResult(unequal(stored, UNEQUAL))
    text = " ".join(printed(result).split())
    assert (
        "Data set 'letters': its classes have from 20 ('c') to 400 ('a') test images, and accuracy "
        "weighs each by its images: answering 'a' always is right for 80.0 %, guessing for 33.3 %; "
    ) in text
    page = render_page(result)
    assert "Guessing gives 33.3, answering the largest class always 80.0." in page
    images = [row["images"].text for row in Page(page).tables["classes-0"]]
    assert images == ["400", "80", "20"]
    balanced = printed(StudyResult(result.stored, metric="balanced_accuracy"))
    assert "test images, and accuracy weighs" not in balanced


def test_equal_classes_need_no_word(stored):
    text = render_page(StudyResult(stored))
    assert "accuracy weighs each" not in text
    assert "Guessing gives 33.3." in text
    assert "images" not in Page(text).tables["classes-0"][0]


def test_the_largest_class_is_a_line_in_the_learning_curves(stored):
    from augbench.reports.figures.curves import learning_curves

    def legend(result):
        figure = learning_curves(result, ("digits", "letters"))
        return [text.get_text() for text in figure.legends[0].get_texts()]

    whole = unequal(stored, UNEQUAL)
    assert "largest class (80.0)" in " ".join(legend(StudyResult(whole)))
    assert "largest class" not in " ".join(legend(StudyResult(stored)))
    assert "largest class" not in " ".join(legend(StudyResult(whole, metric="nll")))


def test_the_table_of_classes_names_the_commonest_mistakes(stored):
    # Whoever is wrong says one class too high.
    page = render_page(StudyResult(unequal(stored, UNEQUAL)))
    assert re.search(
        r"Most often under none, as a share of the true class: \w taken for \w \(\d+\.\d %\); ",
        page,
    )
    assert "a taken for b" in page
    assert "a taken for c" not in page


def test_of_many_classes_the_table_has_the_hardest(tmp_path):
    classes = tuple(f"c{k}" for k in range(40))
    fill(tmp_path, make_study(["mixup"], seeds=2, classes=classes))
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    rows = Page(render_page(result)).tables["classes-0"]
    assert len(rows) == 12
    pooled = result.confusions(("digits", "letters"), "none", 8)
    recall = np.mean([np.diag(one) / one.sum(axis=1) for one in pooled], axis=0)
    assert {row["class"].text for row in rows} == {classes[k] for k in np.argsort(recall)[:12]}


def test_exports_have_the_class_wise_metrics(stored):
    result = StudyResult(unequal(stored, UNEQUAL))
    head = to_csv(result).splitlines()[0].split(",")
    assert {"balanced_accuracy", "macro_f1"} <= set(head)
    for row, cell in zip(json.loads(to_json(result))["cells"], result.cells, strict=True):
        if cell.status != "ok":
            assert row["recall_by_class"] is None
            continue
        recall = np.array(row["recall_by_class"])
        assert recall.mean() == pytest.approx(row["balanced_accuracy"])
        weights = np.array([400, 80, 20]) / 500
        assert recall @ weights == pytest.approx(row["accuracy"])


def test_a_study_without_predictions_has_no_table_of_classes_and_no_new_columns(stored):
    result = StudyResult(replace(stored, test_labels={}))
    page = Page(render_page(result))
    assert "classes-0" not in page.tables
    assert "macro_f1" not in to_csv(result).splitlines()[0]
    assert {one["name"] for one in page.data["curves"]["metrics"]}.isdisjoint(
        {"balanced_accuracy", "macro_f1"}
    )


def test_what_an_old_study_lacks_for_a_metric_is_told(stored):
    old = replace(stored, test_labels={})
    text = printed(StudyResult(old, metric="macro_f1"))
    done = sum(cell.status == "ok" for cell in stored.cells)
    assert f"{done} cells were stored without predicted classes, from which macro-F1 comes" in text
    assert "without predicted classes" not in printed(StudyResult(old))
    assert "without predicted classes" not in printed(StudyResult(stored, metric="macro_f1"))


def test_a_study_that_learnt_nothing_ranks_nothing(tmp_path):
    study = make_study(["mixup"], seeds=6)
    with Store.open(tmp_path) as store:
        store.plan(study, study.cells(), "augbench run")
        for cell in study.cells():
            result = collapse(invent(cell, study))
            store.record(cell, result, ENVIRONMENT, "cpu")
        result = StudyResult(store.study())
    text = " ".join(printed(result).split())
    assert (
        "mixup: nothing was learnt, with it or without it, so there is nothing to compare: the "
        "highest mean accuracy of any arm is 33.4%, and answers without looking at an image reach "
        "33.4%."
    ) in text
    assert "helps" not in text
    assert "seeds as noisy" not in text
