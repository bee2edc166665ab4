"""A result shows itself: a few lines at a prompt, a table with curves in a notebook."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, find_browser
from synthetic import make_study

from augbench.api import plan
from augbench.errors import UsageError
from augbench.reports._curve_sketch import CURVE_COLOURS
from augbench.statistics import best_arms, verdict

PAIR = ("digits", "letters")
EVIL = "<img src=x onerror=document.title='hacked'>\u202e\x1b[2J"
VOID = {"line", "circle", "polygon", "polyline", "br"}


class Elements(HTMLParser):
    """The elements of a text, which must all be closed, and the tables' texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.tables = set(), [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        hidden = self.open and self.open[-1] == "span"  # keeps numbers in line
        if {"td", "th"} & set(self.open) and not hidden:
            self.tables[-1][-1][-1] += data


def shown_parts(result):
    """Everything that a result shows of itself, as text and as HTML."""
    found = result.verdict()
    return repr(result), str(found), result._repr_html_(), found._repr_html_()


def test_a_result_prints_as_a_few_lines_and_its_verdict_as_the_answer(read):
    result = read(make_study([f"mixup:alpha=0.{i}" for i in range(10, 34)]))
    lines = repr(result).splitlines()
    assert lines[0].startswith("digits → letters · 8 seeds")
    assert 3 <= len(lines) <= 6
    assert max(map(len, lines)) <= 100
    assert str(result.verdict()).startswith("\n".join(lines[:2]))
    assert len(str(result.verdict()).splitlines()) <= 25
    assert len(result._repr_html_()) < 40_000
    assert len(result.verdict().verdicts) == 24


def test_the_table_in_a_notebook_holds_the_differences_of_the_scores(read):
    result = read(make_study(["collage", "mixup"]))
    head, baseline, *arms = Elements(result._repr_html_()).tables[0]
    assert head[:6] == ["points against none", "1", "2", "4", "8", "average"]
    scores = result.scores(PAIR)
    assert baseline[1:5] == [f"{100 * mean:.1f}" for mean in scores["none"].mean(axis=0)]
    assert {row[0] for row in arms} == {"collage", "mixup"}
    for row in arms:
        wanted = 100 * (scores[row[0]] - scores["none"]).mean(axis=0)
        told = [float(re.sub("[▲▼△▽✗]", "", text).replace("−", "-")) for text in row[1:5]]
        np.testing.assert_allclose(told, wanted, atol=0.0501)


def test_the_html_loads_nothing_runs_nothing_and_every_name_is_text(read):
    result = read(make_study([EVIL, "mixup"], pairs=((EVIL, "letters"), ("letters", EVIL))))
    for text in shown_parts(result)[2:]:
        found = Elements(text)
        assert not found.tags & {"script", "style", "link", "img", "iframe", "object", "a"}
        assert not [name for name, _ in found.attributes if name.startswith(("on", "src", "href"))]
        assert "url(" not in text
        assert "&lt;img src=x onerror=" in text
    for text in shown_parts(result):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_every_colour_of_a_curve_is_legible_on_white_and_on_nearly_black():
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    for colour in CURVE_COLOURS:
        for paper in ("#ffffff", "#111111"):
            dark, light = sorted(map(luminance, (colour, paper)))
            assert (light + 0.05) / (dark + 0.05) >= 3, (colour, paper)  # WCAG 2.2, 1.4.11


def test_of_many_arms_the_best_have_a_colour_each_and_the_others_are_counted(read):
    result = read(make_study([f"arm{i}" for i in range(24)], seeds=3))
    text = result._repr_html_()
    strokes = re.findall(r'<polyline [^>]*stroke="([^"]+)" stroke-width="2.2"', text)
    assert len(strokes) == len(set(strokes)) == 7  # the baseline, and six more
    assert "faint: 18 further arms" in text
    areas = {label: result.scores(PAIR)[label].mean(axis=0) @ [1, 2, 2, 1] for label in _arms(24)}
    best = sorted(areas, key=areas.get, reverse=True)[:6]
    legend = text.split("mean and interval:")[1].split("<svg viewBox")[0]
    assert re.findall(r"</svg> (\S+?)</span>", legend) == ["none", *best]


def _arms(count):
    return [f"arm{i}" for i in range(count)]


def test_what_a_result_shows_follows_its_metric_and_its_view(read):
    result = read(make_study(["collage", "mixup"], readouts=("linear", "knn")))
    knn = result.views[1]
    for one in (result, result.at(view=knn), result.about("nll")):
        analysis = one.analysis(PAIR)
        assert one.verdict().verdicts == tuple(verdict(analysis))
        lower = one.metric == "nll"
        mine = best_arms(one.scores(PAIR), one.sizes, lower_is_better=lower, chance=1 / 3)
        assert one.best(2) == mine.by_size[1]
        assert one.best() == mine.overall
    assert result.verdict().answer.headline != result.at(view=knn).verdict().answer.headline
    assert "nearest neighbours" in repr(result.at(view=knn))
    assert "nearest neighbours" in result.at(view=knn)._repr_html_()
    assert "log loss" in repr(result.about("nll"))
    assert "log loss" in result.about("nll")._repr_html_().lower()
    (axes,) = result.about("nll").plot().axes
    assert "log loss" in axes.get_ylabel().lower()


def test_every_pair_has_a_verdict_curves_and_best_arms(read):
    pairs = (PAIR, ("digits", "digits"))
    result = read(make_study(["collage", "mixup"], pairs=pairs))
    first, second = (result.verdict(pair) for pair in pairs)
    assert second.answer.setting.startswith("digits → digits")
    assert first.answer.means != second.answer.means
    _, folded = Elements(result._repr_html_()).tables
    assert [folded] == Elements(second._repr_html_()).tables
    assert result.best(4, pair=pairs[1]) == result.best_arms(pairs[1]).by_size[2]
    assert result.plot(pairs[1]).axes[0].get_ylabel() != result.plot().axes[0].get_ylabel()
    assert "2 pairs of data sets: .verdict(pair)" in repr(result)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.verdict(("digits", "nowhere")), "pair: expected one of .*'letters'"),
        (lambda one: one.plot("digits"), "pair: expected one of"),
        (lambda one: one.best(3), "size: expected one of 1, 2, 4, 8, or None .*, got 3"),
        (lambda one: one.best(PAIR), r"size: expected .*, got \('digits', 'letters'\)"),
    ],
)
def test_what_is_not_there_is_one_clear_line(read, call, message):
    with pytest.raises(UsageError, match=message) as caught:
        call(read(make_study(seeds=1)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("study", "options"),
    [
        ({"baseline": None}, {}),
        ({"seeds": 1}, {}),
        ({"sizes": (4,)}, {}),
        ({"augmentations": ()}, {}),
        ({"seeds": 2, "budgets": (100, 200)}, {}),
        ({"seeds": 2}, {"fail": [("mixup", 4, 1)], "skip": [("none", 8, 0)]}),
        ({"seeds": 1, "sizes": (1,)}, {"skip": [("mixup", 1, 0), ("none", 1, 0)]}),
        ({"seeds": 2, "references": True, "ruler": (16,)}, {}),
    ],
    ids=lambda one: ",".join(one) or "whole",
)
def test_a_study_of_any_kind_shows_itself(read, study, options):
    result = read(make_study(**study), **options)
    text, answer, *pages = shown_parts(result)
    assert text.splitlines()[0].startswith("digits → letters")
    assert answer
    for page in pages:
        Elements(page)
    for cells, word in ((result.failed, "failed"), (result.missing, "not computed")):
        assert bool(cells) == (f"{len(cells)} cell" in text and word in text)


def test_a_figure_is_shown_by_a_notebook_and_unknown_to_pyplot(read):
    figure = read(make_study(seeds=2)).plot()
    assert figure.canvas.manager is None
    dpi = figure.dpi
    picture, told = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert told == {"width": round(96 * figure.get_figwidth())}
    assert figure.dpi == dpi


def test_what_a_user_meets_prints_in_a_line(read, tiny_options):
    result = read(
        make_study(
            [f"mixup:alpha=0.{i}" for i in range(10, 18)],
            seeds=2,
            sizes=(1, 2),
            shift=("blur",),
            readouts=("linear", "knn"),
            tuning={"trials": 3},
            classes=[f"class {i}" for i in range(200)],
        )
    )
    planned = plan(tiny_options)
    analysis, best = result.analysis(PAIR), result.best_arms(PAIR)
    cell, arm, info = planned.cells[0], planned.study.arms[1], planned.study.pairs[0][0]
    dataset = planned.load(info.content_hash)
    objects = [
        *(planned, planned.options, planned.study, planned.registry, cell, arm, arm.pipeline),
        *(arm.settings, planned.study.backbone, info, dataset, planned.wanted),
        *(result.stored, result.cells[0], result.cells[0].result, result.view, result.tuning),
        *(result.under_shift(PAIR), result.balance(PAIR), result.costs(PAIR)[0], result.primary),
        *(result.readout_changes(PAIR)[0], result.tuning_changes(PAIR)[0]),
        *(analysis, analysis.comparisons[0], analysis.curves[0], analysis.condition),
        *(best, best.overall, best.overall.candidates[0], verdict(analysis)[0]),
        *(result.verdict().answer, result.verdict().answer.rows[0]),
    ]
    for one in objects:
        text = repr(one)
        assert len(text) <= 400, (type(one).__name__, len(text))
        assert "\n" not in text
    assert len(repr(result).splitlines()) <= 6


def test_options_print_as_the_call_that_makes_them_again(tiny_options):
    from pathlib import PosixPath

    from augbench import Options

    assert repr(Options()) == "Options()"
    names = {"Options": Options, "PosixPath": PosixPath}
    assert eval(repr(tiny_options), names) == tiny_options


def test_every_call_of_the_page_exists(read):
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    result, names = read(make_study(seeds=1)), set(re.findall(r"result\.(\w+)", page))
    assert {"verdict", "best", "plot", "table", "to_pandas", "about", "at"} <= names
    assert all(hasattr(result, name) for name in names)
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        compile(block, "docs/notebook.md", "exec")


@pytest.mark.browser
@pytest.mark.skipif(find_browser() is None, reason="no chromium; name one with CHROMIUM=/path")
def test_in_a_browser_it_stays_within_its_cell_and_no_name_does_anything(read, tmp_path):
    result = read(
        make_study([EVIL, "x" * 200, *_arms(22)], seeds=2, sizes=(1, 2, 4, 8, 16, 32, 64))
    )
    page = tmp_path / "page.html"
    viewport = "<meta name=viewport content='width=device-width'>"
    style = "background: #111; color: #ddd; font: 14px sans-serif"
    body = f"{result._repr_html_()}{result.verdict()._repr_html_()}"
    page.write_text(f"<!doctype html><meta charset=utf-8>{viewport}<body style='{style}'>{body}")
    browser = Browser(find_browser())
    try:
        for width in (390, 1200):
            browser.open(page, width=width, dark=True)
            assert browser.run("document.documentElement.scrollWidth") <= width
            assert browser.run("document.title") == ""
            colour = "getComputedStyle(document.querySelector('svg text')).fill"
            assert browser.run(colour) == "rgb(221, 221, 221)"
            assert browser.requests() == []
            assert browser.complaints() == []
    finally:
        browser.close()
