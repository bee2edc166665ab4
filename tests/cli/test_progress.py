"""Progress of a run: on the error stream, from the first moment, about the run's metric."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import fill, invent, make_study

from augbench.api import Observer, plan, run
from augbench.cli._live_table import LiveTable
from augbench.progress.pace import Pace, duration
from augbench.reports.console import Console
from augbench.results import StudyResult, metric_of_result
from augbench.store import Store

SMALL = [
    *("--samples-per-class", "1,4", "--seeds", "2", "--finetune-samples-per-class", "5"),
    *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--batch-size", "4"),
    *("--n-batches-pre-train", "8", "--n-batches-finetune", "8", "--workers", "0"),
]


@pytest.fixture
def small(tiny_options):
    return (*SMALL, "--plugin", tiny_options.plugins[0])


def test_nothing_but_the_answer_is_on_the_standard_output(augbench, small, tmp_path):
    code, printed, errors = augbench("run", "--aug", "mixup", *small, "--out", tmp_path)
    lines = errors.splitlines()
    assert code == 0
    assert lines[0].startswith("8 cells: 0 in the store, 8 to compute")
    assert lines[1].startswith("2 seeds cannot establish any difference")
    assert "[0/8] 0 %" in lines[2:4]
    assert lines[-1].startswith("[8/8] tiny-a→tiny-b ")
    assert "100 %" in lines[-1]
    assert printed.startswith("tiny-a → tiny-b")
    assert not any(line in printed for line in lines)


def test_a_run_without_figures_draws_none(augbench, small, tmp_path):
    code, printed, _ = augbench(
        "run", "--aug", "mixup", *small, "--out", tmp_path, "--no-figures", "--json"
    )
    assert code == 0
    assert printed.startswith("{")
    assert not list(tmp_path.glob("*.png"))


def test_lines_and_table_are_about_the_metric_of_the_run(augbench, small, tmp_path):
    arguments = ("run", "--aug", "mixup", *small, "--out", tmp_path, "--no-figures")
    errors = augbench(*arguments, "--metric", "nll")[2]
    with Store.read(tmp_path) as store:
        values = [cell.result.metrics["nll"] for cell in store.study().cells]
    assert all(f": log loss {value:.4f} (" in errors for value in values)


@given(
    st.integers(1, 10**6),
    st.floats(0.1, 100),
    st.floats(0, 1000),
    st.lists(st.integers(1, 1000), min_size=2, max_size=30),
)
def test_the_time_left_is_right_from_the_start_at_a_steady_pace(begun, rate, slow_start, parts):
    """Whatever the workers took to start, and whatever part of a pack is done."""
    now = [float(begun)]
    pace, total = Pace(clock=lambda: now[0]), sum(parts) * 2
    pace.add(total)
    assert (pace.share, pace.seconds_left) == (0.0, None)
    now[0] += slow_start
    pace.advance(parts[0])
    done, since = parts[0], now[0]
    for steps in parts[1:]:
        now[0] += steps / rate
        done += steps
        pace.advance(steps)
        assert pace.share == done / total
        if now[0] - since >= 1.001:
            assert pace.seconds_left == pytest.approx((total - done) / rate, rel=1e-6)


def test_a_cell_that_fails_at_once_counts_whole():
    pace = Pace(clock=lambda: 0.0)
    pace.add(100)
    pace.end(50)
    assert pace.share == 0.5
    assert pace.words == "50 %"


def test_durations_are_minutes_and_seconds():
    assert [duration(seconds) for seconds in (4, 258, 3909)] == ["0:04", "4:18", "1:05:09"]


class _Planned(Observer):
    def planned(self, plan, stored):
        self.plan, self.stored = plan, stored


@pytest.mark.parametrize("metric", ["accuracy", "nll", "balanced_accuracy"])
def test_the_table_that_fills_ends_with_the_means_of_the_report(tiny_options, metric):
    class Table(_Planned):
        def finished(self, cell, result):
            self.cells.append((cell, result))

    seen = Table()
    seen.cells = []
    result = StudyResult(run(tiny_options, observer=seen).stored, metric=metric)
    planned = plan(tiny_options, metric=metric)
    fresh, stored = LiveTable(planned), LiveTable(planned)
    for one in seen.cells:
        fresh.take(*one)
    stored.take_stored(planned.cells, {cell.key: 0.0 for cell in planned.cells})
    if metric == "accuracy":
        stored.take_stored((), {})
    factor, decimals = result.primary.factor, result.primary.decimals_of_mean
    for row in result.table():
        text = f"{factor * row['mean']:.{decimals}f}"
        assert text in _printed(fresh, 80)
        if metric != "accuracy":  # whose values the store hands out
            assert text in _printed(stored, 80)


def test_metrics_of_a_new_result_are_those_of_the_stored_one(tmp_path):
    study = make_study(["mixup"], seeds=1, shift=("noise",))
    fill(tmp_path, study)
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    kept = {cell.key: cell for cell in result.cells}
    for cell in study.cells():
        for name in ("accuracy", "ece", "balanced_accuracy", "macro_f1", "shift_accuracy"):
            value = metric_of_result(invent(cell, study), name, cell.finetune, study.shift)
            assert value == result.metric_of(kept[cell.key], name)
    assert math.isnan(metric_of_result(invent(cell, study), "nothing", cell.finetune, ()))


def test_names_are_whole_at_40_columns(tiny_options):
    table = LiveTable(
        plan(
            tiny_options,
            augmentations=["mixup:alpha=0.4", "crop-flip:flip=false"],
            samples_per_class=[1, 2, 4, 8, 10],
        )
    )
    printed = _printed(table, 40)
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 40
    assert "│ crop-flip:flip=false │" in printed
    assert "│ mixup:alpha=0.4      │" in printed
    assert "┃ … ┃ 10 ┃" in printed
    assert "…" not in _printed(table, 80)


def _printed(table, width):
    console = Console(width=width, record=True, quiet=False)
    with console.capture() as captured:
        for one in table.tables(width):
            console.print(one)
    return captured.get()
