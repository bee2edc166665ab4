"""A page, a terminal report, figures and exports of one study share what is computed of it."""

import io
from collections import Counter

import numpy as np
import pytest
from rich.console import Console
from synthetic import fill, make_study

from augbench.reports.export import to_csv, to_json
from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.terminal import print_results
from augbench.results import StudyResult, _metrics, _study
from augbench.store import Store

PAIRS = (("digits", "letters"), ("digits", "digits"))


@pytest.fixture
def result(tmp_path):
    fill(tmp_path / "store", make_study(["mixup"], pairs=PAIRS, seeds=6, ruler=(16,)))
    with Store.read(tmp_path / "store") as store:
        return StudyResult(store.study())


@pytest.fixture
def calls(monkeypatch):
    """The number of calls of what is slow, by name."""
    counted = Counter()

    def count(module, name):
        real = getattr(module, name)

        def counting(*arguments, **options):
            counted[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    for name in ("analyse", "cell_rows", "distinct_environments"):
        count(_study, name)
    count(_metrics, "mean_interval")
    count(_metrics, "classwise_metrics")
    return counted


@pytest.mark.usefixtures("figures_by_name")
def test_a_page_a_terminal_report_figures_and_exports_compute_each_thing_once(
    result, calls, tmp_path
):
    def report():
        render_page(result)
        print_results(result, Console(file=io.StringIO()))
        save_figures(result, tmp_path / "figures")
        return to_csv(result), to_json(result)

    first = report()
    assert calls["analyse"] == len(PAIRS)
    assert calls["cell_rows"] == 1
    assert calls["distinct_environments"] == 1
    once = dict(calls)
    assert report() == first
    assert calls == once


def test_one_page_computes_each_thing_once(result, calls):
    render_page(result)
    assert calls["analyse"] == len(PAIRS)
    assert calls["cell_rows"] == 1


def test_another_confidence_is_another_analysis(result, calls):
    narrow, wide = (result.analysis(PAIRS[0], confidence=level) for level in (0.5, 0.99))
    assert calls["analyse"] == 2
    assert narrow.comparisons[0].difference.half_width < wide.comparisons[0].difference.half_width


def test_what_a_caller_changes_is_not_what_the_next_one_gets(result):
    values, rows, table = result.values(PAIRS[0], "mixup"), result.cell_rows(), result.table()
    values[:] = np.nan
    rows[0]["accuracy"] = "mine"
    rows.pop()
    table[0]["mean"] = "mine"
    assert not np.isnan(result.values(PAIRS[0], "mixup")).any()
    assert result.cell_rows()[0]["accuracy"] == result.cells[0].result.metrics["accuracy"]
    assert len(result.cell_rows()) == len(result.cells)
    assert result.table()[0]["mean"] != "mine"
