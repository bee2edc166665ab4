"""`--metric` on the command line: what is read, and what is computed again for it."""

from dataclasses import replace

import numpy as np
import pytest
from damage import rewrite
from synthetic import fill, make_study

from augbench import run
from augbench.api import plan
from augbench.labels import decode
from augbench.results import StudyResult
from augbench.store import Store


@pytest.fixture
def store(tmp_path):
    fill(tmp_path / "store", make_study(["mixup"], seeds=6))
    return tmp_path / "store"


def test_a_report_and_a_comparison_are_about_any_metric(augbench, store, tmp_path):
    code, printed, _ = augbench(
        "report", "--out", store, "--metric", "nll", "--no-figures", "--full"
    )
    assert code == 0
    assert "log loss in nats (lower is better)" in printed
    code, printed, _ = augbench("report", "--out", store, "--metric", "nll", "--no-figures")
    assert "log loss (lower is better)" in printed
    assert "nats against none" in printed
    code, printed, _ = augbench("compare", store, store, "--metric", "balanced_accuracy")
    assert code == 0
    assert "balanced accuracy in %; difference: second − first" in printed
    code, _, errors = augbench("report", "--out", store, "--metric", "temperature")
    assert (code, errors.splitlines()) == (
        2,
        [
            "error: --metric: expected one of accuracy, nll, ece, nll_scaled, ece_scaled, "
            "balanced_accuracy, macro_f1, shift_accuracy, got 'temperature'"
        ],
    )


def test_a_metric_changes_no_key_and_no_study(tiny_options):
    plain, other = plan(tiny_options), plan(replace(tiny_options, metric="macro_f1"))
    assert [cell.key for cell in plain.cells] == [cell.key for cell in other.cells]
    assert plain.study.to_json() == other.study.to_json()
    assert (plain.wanted.predictions, other.wanted.predictions) == (False, True)


@pytest.mark.parametrize("engine", ["reference", "packed"])
def test_engines_keep_the_predicted_class_of_every_image(tiny_options, engine):
    result = run(replace(tiny_options, engine=engine))
    labels = result.test_labels("tiny-b")
    assert labels.tolist() == np.arange(4).repeat(10).tolist()
    for cell in result.cells:
        predicted = decode(cell.result.predicted, 40, 4)
        assert np.packbits(predicted == labels).tobytes() == cell.result.correct
        assert np.mean(predicted == labels) == pytest.approx(cell.result.metrics["accuracy"])


def test_cells_of_an_older_store_are_computed_again_for_a_metric_that_needs_it(tiny_options):
    first = run(tiny_options)
    rewrite(tiny_options.out, "UPDATE cells SET predicted = NULL", sign=True)
    with Store.read(tiny_options.out) as opened:
        old = {cell.key: cell.finished_at for cell in opened.study().cells}
    again = run(tiny_options)  # accuracy needs nothing more
    assert {cell.key: cell.finished_at for cell in again.cells} == old
    assert np.isnan(again.values(("tiny-a", "tiny-b"), "mixup", metric="macro_f1")).all()
    other = run(replace(tiny_options, metric="macro_f1"))
    assert all(cell.finished_at > old[cell.key] for cell in other.cells)
    assert other.metric == "macro_f1"
    assert not np.isnan(other.values(("tiny-a", "tiny-b"), "mixup")).any()
    for mine, theirs in zip(other.cells, first.cells, strict=True):
        assert mine.result.metrics["accuracy"] == theirs.result.metrics["accuracy"]
    assert StudyResult(other.stored).metric == "accuracy"


UNEQUAL = """
import numpy as np
from augbench import Dataset, hookimpl

def odd(root, *, download=False):
    rng = np.random.default_rng(0)
    def part(counts):
        labels = np.repeat([0, 1, 2], counts)
        return rng.integers(0, 256, (len(labels), 1, 16, 16)).astype(np.uint8), labels
    train, test = part([20, 20, 20]), part([30, 9, 6])
    return Dataset("odd", *train, *test, ("a", "b", "c"))

@hookimpl
def register_datasets(register):
    register("odd", odd)
"""


def test_unequal_test_classes_are_warned_of_before_anything_trains(augbench, tmp_path):
    plugin = tmp_path / "odd.py"
    plugin.write_text(UNEQUAL)
    common = ("--plugin", plugin, "--finetune-samples-per-class", 5, "--samples-per-class", 1)
    sets = ("--pre-train-dataset", "odd", "--finetune-dataset", "odd")
    out = ("--out", tmp_path / "out")
    code, _, errors = augbench("run", "--dry-run", *common, *sets, *out, "--workers", 0)
    assert code == 0
    (line,) = errors.splitlines()
    assert line.startswith(
        "warning: data set 'odd': its classes have from 6 ('c') to 30 ('a') test images"
    )
    assert line.endswith("--metric balanced_accuracy weighs all classes alike")
