"""The page of 24 arms with hostile names in a real browser: what it opens with, its filters."""

import pytest
from browser import Browser, find_browser
from synthetic import fill, make_study

from augbench.reports._ranking import by_effect
from augbench.reports.page import save_page
from augbench.results import StudyResult
from augbench.store import Store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no chromium; name one with CHROMIUM=/path"),
]
EVIL = "</script><img src=x onerror=document.title='hacked'>"
ARMS = [
    EVIL,
    "x" * 300,
    "two words " * 30,
    "\u202egnp.exe",
    "混合" * 20,
    "{{ 7 * 7 }}",
    "null",
    "-1",
]
ARMS += [f"arm-with-a-long-name:alpha={i}" for i in range(16)]
FIRST = ("folder:/home/someone/" + "y" * 100, "letters")


@pytest.fixture(scope="module")
def browser():
    found = Browser(find_browser())
    yield found
    found.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    pairs = (FIRST, ("digits", "letters"))
    fill(folder, make_study(ARMS, pairs=pairs, seeds=10, sizes=(1, 8), shift=("noise", "<b>fog")))
    with Store.read(folder) as store:
        result = StudyResult(store.study())
    save_page(result, folder / "page.html")
    return result, folder / "page.html"


def _rows(page):
    return page.run(
        "[...document.querySelectorAll('#summary tbody tr')].filter(row => !row.hidden)"
        ".map(row => row.cells[0].textContent)"
    )


def _keep(page, choice):
    page.run(
        f"(() => {{ const c = document.getElementById('arms'); c.value = {choice!r};"
        " c.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def _in_full(page):
    return set(
        page.run(
            "[...document.querySelectorAll('#chart g:not(.faint) .line')]"
            ".map(line => line.parentNode.dataset.label)"
        )
    )


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen_with_and_without_scripts(browser, study, width, scripts):
    browser.open(study[1], width=width, scripts=scripts)
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('main img').length") == 0
    shown = "document.getElementById('arm-filter').offsetHeight > 0"
    assert browser.run(shown) == scripts  # what takes a script is not offered without one
    curves = browser.run("document.querySelectorAll('#curves .line').length")
    assert curves >= len(ARMS) + 1
    assert browser.complaints() == []


def test_it_opens_with_the_answer_the_summary_and_the_curves(page):
    top = "document.getElementById({!r}).getBoundingClientRect().top"
    places = [page.run(top.format(name)) for name in ("answer", "summary", "chart", "verdict")]
    assert places == sorted(places)
    assert places[2] < 1300  # four long names included


def test_the_best_arms_are_shown_first_and_the_choice_of_arms_holds_for_table_and_curves(
    page, study
):
    order = by_effect(study[0], FIRST)
    assert _rows(page) == order[:5]
    assert _in_full(page) == {"none", *order[:5]}
    assert page.run("document.querySelectorAll('#chart .faint .line').length") == 19
    _keep(page, "3")
    assert _rows(page) == order[:3]
    _keep(page, "all")
    assert _rows(page) == order
    assert _in_full(page) == {"none", *order}
    assert page.run("document.querySelectorAll('#chart .faint').length") == 0


def test_only_established_arms_can_be_kept(page, study):
    analysis = study[0].analysis(FIRST)
    sure = {
        c.augmentation
        for c in analysis.comparisons
        if min(c.p_adjusted, *(row.p_adjusted for row in c.by_size)) <= analysis.alpha
    }
    assert 0 < len(sure) < len(ARMS)
    _keep(page, "established")
    assert set(_rows(page)) == sure
    assert _in_full(page) == {"none", *sure}


def test_the_summary_is_sorted_by_any_column_and_keeps_its_filter(page, study):
    page.run("document.querySelector('#summary [data-key=augmentation] button').click()")
    assert set(_rows(page)) == set(by_effect(study[0], FIRST)[:5])
    _keep(page, "all")
    page.run("document.querySelector('#summary [data-key=p] button').click()")
    values = page.run(
        "[...document.querySelectorAll('#summary tbody tr')]"
        ".map(row => Number(row.querySelector('td:nth-last-child(2)').dataset.value))"
    )
    assert values == sorted(values)


def test_the_name_of_an_arm_unfolds_its_details(page, study):
    best = by_effect(study[0], FIRST)[0]
    opened = "[...document.querySelectorAll('#verdict details[open]')].map(d => d.textContent)"
    assert page.run(opened) == []
    page.run("document.querySelector('#summary a.arm').click()")
    (text,) = page.run(opened)
    assert best in text


@pytest.mark.parametrize(
    ("arms", "options", "skip"),
    [
        (["mixup"], {"seeds": 1, "sizes": (1,)}, [("none", 1, 0), ("mixup", 1, 0)]),
        ([], {"seeds": 2, "sizes": (1, 2)}, []),
        (["a", "b"], {"seeds": 1, "sizes": (5,), "baseline": None}, []),
    ],
    ids=["nothing yet", "the baseline alone", "no baseline"],
)
def test_pages_of_odd_studies_run_without_a_complaint(browser, tmp_path, arms, options, skip):
    fill(tmp_path, make_study(arms, **options), skip=skip)
    with Store.read(tmp_path) as store:
        save_page(StudyResult(store.study()), tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    assert browser.run("document.querySelector('#answer .say').textContent")
    assert browser.complaints() == []


def test_shift_is_drawn_for_each_corruption_on_the_page(page):
    titles = page.run("[...document.querySelectorAll('#shift figcaption')].map(c => c.textContent)")
    assert titles == ["noise", "<b>fog"] * 2


def test_the_columns_for_experts_stand_below_their_table(page):
    keys = "[...document.querySelectorAll('#{} th[data-key]')].map(th => th.dataset.key)"
    assert "correlation" not in page.run(keys.format("effects-0"))
    assert {"augmentation", "correlation", "least_p"} <= set(
        page.run(keys.format("effects-0-more"))
    )
