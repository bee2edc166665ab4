"""The page in a real browser: offline, without a complaint, wide and narrow, mouse and keyboard."""

import json
import time

import pytest
from browser import Browser, find_browser
from synthetic import fill, make_study

from augbench.reports.export import to_csv
from augbench.reports.page import save_page
from augbench.results import StudyResult
from augbench.store import Store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no chromium; name one with CHROMIUM=/path"),
]
EVIL = "</script><img src=x onerror=document.title='hacked'>"


@pytest.fixture(scope="module")
def browser():
    found = Browser(find_browser())
    yield found
    found.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    plan = make_study(
        ("collage", "mixup"),
        pairs=(("digits", "letters"), ("digits", "digits")),
        seeds=3,
        ruler=(16,),
        references=True,
    )
    fill(folder, plan, fail=[("mixup", 4, 1)], skip=[("collage", 8, 2)])
    with Store.read(folder) as store:
        result = StudyResult(store.study())
    save_page(result, folder / "page.html")
    return result, folder / "page.html"


def _choose(page, control, value):
    page.run(
        f"(() => {{ const c = document.getElementById({control!r}); c.value = {str(value)!r};"
        " c.dispatchEvent(new Event('change', {bubbles: true}));"
        " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def _readout(page):
    rows = page.run(
        "[...document.querySelectorAll('#readout tbody tr')].map("
        "row => [...row.cells].map(cell => cell.textContent))"
    )
    return {row[0]: row[1:] for row in rows}


def _caption(page):
    return page.run("document.querySelector('#readout caption').textContent")


def _column(page, table, key):
    return page.run(
        f"(() => {{ const t = document.getElementById({table!r});"
        f" const i = t.querySelector('[data-key={key}]').cellIndex;"
        " return [...t.tBodies[0].rows].map(row => row.cells[i].textContent); })()"
    )


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (380, True)])
def test_the_page_fits_wide_and_narrow_screens_light_and_dark(browser, study, width, dark):
    browser.open(study[1], width=width, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('#chart .line').length") == 3
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
    assert browser.complaints() == []
    assert browser.requests() == []


def test_values_are_read_with_the_keyboard(page, study):
    page.run("document.getElementById('chart').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert _caption(page) == "test accuracy on letters (%) at 4 samples per class"
    (row,) = [r for r in study[0].table() if (r["finetune_dataset"], r["augmentation"],
              r["samples_per_class"]) == ("letters", "mixup", 4)]  # fmt: skip
    mean, low, high = (f"{100 * row[name]:.2f}" for name in ("mean", "lower", "upper"))
    assert _readout(page)["mixup"] == [f"{mean} ({low} to {high})", "2"]
    page.press("End")
    assert _caption(page).endswith("at 16 samples per class")
    assert _readout(page)["mixup"][0] == "·"


def test_values_are_read_with_the_mouse(page):
    page.run("document.getElementById('chart').scrollIntoView()")
    x, y = page.run(
        "(() => { const c = document.querySelectorAll('#chart .base .mark')[2]"
        ".getBoundingClientRect(); return [c.x + c.width / 2, c.y + c.height / 2]; })()"
    )
    page.move(x, y)
    assert _caption(page).endswith("at 4 samples per class")


def test_pair_metric_view_and_seeds_are_switched(page, study):
    result = study[0]
    _choose(page, "pair", 1)
    assert _caption(page).startswith("test accuracy on digits")
    _choose(page, "seeds", 2)
    value = 100 * result.values(("digits", "digits"), "none", (1,))[2, 0]
    assert _readout(page)["none"] == [f"{value:.2f}"]
    _choose(page, "view", "differences")
    treated = 100 * result.values(("digits", "digits"), "mixup", (1,))[2, 0]
    sign = "+" if treated > value else "−"
    assert _readout(page)["mixup"] == [f"{sign}{abs(treated - value):.2f}"]
    assert "none" not in _readout(page)
    _choose(page, "seeds", "each")
    assert page.run("document.querySelectorAll('#chart .seed').length") == 2 * 3
    for number in range(page.run("document.getElementById('metric').options.length")):
        _choose(page, "metric", number)
        assert page.run("document.querySelectorAll('#chart .line').length") == 2


def test_augmentations_are_hidden_and_shown_by_the_legend(page):
    page.run("document.querySelectorAll('#legend button')[1].click()")
    assert set(_readout(page)) == {"none", "mixup"}
    for button in (0, 2):
        page.run(f"document.querySelectorAll('#legend button')[{button}].click()")
    assert "Nothing to draw" in page.run("document.getElementById('chart').textContent")
    page.run("document.querySelectorAll('#legend button')[1].click()")
    assert set(_readout(page)) == {"collage"}


def test_tables_are_sorted_by_their_numbers_missing_ones_last(page):
    sort = "document.querySelector('#cells [data-key=accuracy] button').click()"
    page.run(sort)
    shown = _column(page, "cells", "accuracy")
    assert shown[-4:] == ["–"] * 4
    assert [float(v) for v in shown[:-4]] == sorted(float(v) for v in shown[:-4])
    page.run(sort)
    shown = _column(page, "cells", "accuracy")
    assert shown[-4:] == ["–"] * 4
    assert float(shown[0]) == max(float(v) for v in shown[:-4])
    direction = page.run("document.querySelector('#cells [aria-sort]').getAttribute('aria-sort')")
    assert direction == "descending"


def test_cells_are_filtered_by_status_and_words(page):
    page.run("document.getElementById('all-cells').open = true")
    shown = "document.getElementById('shown-cells').textContent"
    _choose(page, "status-filter", "failed")
    assert page.run(shown).startswith("2 of ")
    _choose(page, "text-filter", "digits → letters")
    assert page.run(shown).startswith("1 of ")


def test_downloads_are_the_files_of_the_exports(browser, study, tmp_path):
    browser.open(study[1], downloads=tmp_path)
    for kind in ("csv", "json"):
        browser.run(f"document.getElementById('download-{kind}').click()")
        file = tmp_path / f"augbench-study-1.{kind}"
        deadline = time.monotonic() + 10
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert (tmp_path / "augbench-study-1.csv").read_text() == to_csv(study[0])
    report = json.loads((tmp_path / "augbench-study-1.json").read_text())
    assert len(report["cells"]) == len(study[0].cells)
    assert browser.requests() == []


def test_hostile_names_stay_text_and_injected_code_does_not_run(browser, tmp_path):
    fill(tmp_path, make_study([EVIL], pairs=[(EVIL, "letters")], seeds=2, classes=(EVIL, "b")))
    with Store.read(tmp_path) as store:
        save_page(StudyResult(store.study()), tmp_path / "evil.html")
    browser.open(tmp_path / "evil.html")
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert EVIL in browser.run("document.querySelector('h1').textContent")
    assert EVIL in browser.run("document.getElementById('legend').textContent")
    assert "hacked" not in browser.run("document.title").split("<")[0]
    assert browser.complaints() == []


def test_the_policy_stops_what_escaping_would_have_let_in(browser, study):
    browser.open(study[1])
    for attack in (
        "document.body.setAttribute('onclick', 'ran = 1')",
        "document.body.innerHTML = '<p>'",
        "document.createElement('script').text = 'ran = 1'",
    ):
        with pytest.raises(RuntimeError, match="Trusted"):
            browser.run(attack)
    browser.run("new Image().src = 'http://127.0.0.1:9/x.png'")
    browser.run("void fetch('http://127.0.0.1:9/').catch(() => 0)")
    blocked = str(browser.complaints())
    assert "img-src" in blocked
    assert "connect-src" in blocked or "default-src" in blocked
    assert browser.run("typeof ran") == "undefined"


def test_it_prints(page, tmp_path):
    page.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert page.run("[...document.querySelectorAll('#numbers details')].every(part => part.open)")
