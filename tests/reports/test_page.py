import base64
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from markupsafe import escape
from synthetic import ENVIRONMENT, fill, make_study
from tables import Page

from augbench.errors import StoreError
from augbench.pictures.archive import Picture
from augbench.reports.export import to_csv
from augbench.reports.page import embedded_json, render_page, save_page
from augbench.results import StudyResult
from augbench.statistics import verdict
from augbench.store import Store

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}<!--",
    "javascript:alert(1)",
)


@pytest.fixture
def result(tmp_path):
    """Read what `fill` wrote."""

    def make(*augmentations, fail=(), skip=(), **options):
        study = make_study(augmentations or ("collage", "mixup"), **options)
        fill(tmp_path, study, fail=fail, skip=skip, command=f"augbench run {augmentations}")
        with Store.read(tmp_path) as store:
            return StudyResult(store.study())

    return make


def _pictures(label="mixup", **options):
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    return [Picture("digits", label, images, images[::-1], ("0.5 a + 0.5 b", "1.0 c"), **options)]


def test_the_page_has_the_same_bytes_for_the_same_store(result):
    study = result(seeds=3)
    assert render_page(study, pictures=_pictures()) == render_page(study, pictures=_pictures())


def test_answer_summary_and_curves_come_first_then_verdicts_in_the_words_of_the_terminal(result):
    study = result("mixup", seeds=8)
    text = render_page(study)
    (said,) = verdict(study.analysis(study.pairs[0]))
    parts = [text.index(f'id="{name}"') for name in ("answer", "summary", "curves", "verdict")]
    assert parts == sorted(parts)
    assert parts[-1] < text.index(said.headline)
    assert all(str(escape(sentence)) in text for sentence in said.sentences)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_outside_are_text_wherever_they_stand(tmp_path, name):
    study = make_study([name], pairs=[(name, "letters")], seeds=2, classes=(name, "b"))
    fill(tmp_path, study, fail=[(name, 4, 1)], command=name, environment={name: name})
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    plain, sober = (
        Page(render_page(one, pictures=_pictures(label)))
        for one, label in ((result, name), (_sober(tmp_path / "sober"), "plain"))
    )
    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in sober.tags]
    assert not any(key.startswith("on") for _, given in plain.tags for key in given)
    assert len(plain.scripts) == 2
    assert plain.data["curves"]["augmentations"] == ["none", name]
    assert sum(name in words for words in plain.words) > 10


def _sober(folder):
    study = make_study(["plain"], pairs=[("plain", "letters")], seeds=2, classes=("plain", "b"))
    fill(folder, study, fail=[("plain", 4, 1)], command="plain", environment={"plain": "plain"})
    with Store.read(folder) as store:
        return StudyResult(store.study())


def test_embedded_json_cannot_end_its_element():
    tree = {"</script>": ["<!--", "&amp;", "\u2028"]}
    text = embedded_json(tree)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == tree


def test_the_policy_names_the_one_script_and_the_one_style_by_their_hashes(result):
    page = Page(render_page(result("mixup", seeds=2)))
    policy = page.metas["Content-Security-Policy"]
    (script,) = [text for kind, text in page.scripts if not kind]
    ((_, style),) = page.styles
    for directive, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not any("style" in given for _, given in page.tags)


def test_the_page_asks_for_nothing_from_outside(result):
    text = render_page(result("mixup", seeds=2), pictures=_pictures())
    page = Page(text)
    for tag, given in page.tags:
        for key in ("src", "href", "action", "srcset", "data-src"):
            assert given.get(key, "#").startswith(("#", "data:")), (tag, given)
        assert tag not in ("link", "iframe", "object", "embed", "base")
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_where_no_script_runs_the_curves_are_there_all_the_same(result):
    study = result("mixup", seeds=3, sizes=(1, 2, 4))
    text = render_page(study)
    (still,) = re.findall(
        "<noscript>.*?</noscript>", text.split("<main>")[1].split("Numbers")[0], re.DOTALL
    )
    lines = re.findall('polyline class="line" points="([^"]*)"', still)
    points = [[tuple(map(float, p.split(","))) for p in line.split()] for line in lines]
    for label, drawn in zip(study.augmentations, points, strict=True):
        means = [row["mean"] for row in study.table() if row["augmentation"] == label]
        heights = [-y for _, y in drawn]
        assert np.argsort(heights).tolist() == np.argsort(means).tolist()
        rise = np.diff(heights) / np.diff(means)
        np.testing.assert_allclose(rise, rise[0], rtol=0.1)


def test_every_planned_cell_is_there_with_its_status_and_errors_in_full(result):
    study = result("mixup", seeds=2, fail=[("mixup", 4, 1)], skip=[("none", 8, 0)])
    page = Page(render_page(study))
    rows = page.tables["cells"]
    assert len(rows) == len(study.cells)
    assert [row["status"].text for row in rows] == [cell.status for cell in study.cells]
    words = "".join(page.words)
    assert "1 failed" in words
    assert "1 not computed yet" in words
    assert "digits→letters mixup s=4 seed 1" in words
    assert "Traceback (most recent call last):\n  <chain>\nRuntimeError: off" in words


def test_the_data_of_the_page_are_those_of_the_exports(result):
    study = result("mixup", seeds=2, fail=[("mixup", 4, 1)], skip=[("none", 8, 0)])
    data = Page(render_page(study)).data
    assert data["csv"] == to_csv(study)
    assert data["report"]["cells"] == study.cell_rows()
    assert data["report"]["study"]["command"] == study.stored.command


def test_cells_of_different_environments_are_pointed_out(tmp_path):
    study = make_study(["mixup"], seeds=2)
    fill(tmp_path, study, skip=[("mixup", s, 1) for s in (1, 2, 4, 8)])
    with Store.read(tmp_path) as store:
        assert "All compared cells ran in the same environment" in render_page(
            StudyResult(store.study())
        )
    fill(tmp_path, study, skip=[(a, s, 0) for a in ("none", "mixup") for s in (1, 2, 4, 8)]
         + [("none", s, 1) for s in (1, 2, 4, 8)],
         environment={**ENVIRONMENT, "torch": "9.9"})  # fmt: skip
    with Store.read(tmp_path) as store:
        words = "".join(Page(render_page(StudyResult(store.study()))).words)
    assert "torch: 4 of 8 cells ran with '9.9', their baseline with '2.4'" in words
    assert "Environment 2" in words


def test_the_gallery_is_drawn_with_alternative_texts(result):
    page = Page(render_page(result("mixup", seeds=1), pictures=_pictures()))
    assert len(page.images) == 4
    assert all(image["alt"] and image["src"].startswith("data:image/png") for image in page.images)
    assert page.images[2]["alt"] == "Image 1 after mixup: 0.5 a + 0.5 b"
    assert not Page(render_page(result("mixup", seeds=1))).images


def test_an_augmentation_that_cannot_be_drawn_says_why(result):
    nothing = np.zeros((0, 1, 4, 4), np.uint8)
    picture = Picture("digits", "mixup", nothing, nothing, (), "needs gradients")
    words = "".join(Page(render_page(result("mixup", seeds=1), pictures=[picture])).words)
    assert "not drawn: needs gradients" in words


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 1},
        {"seeds": 2, "sizes": (5,)},
        {"seeds": 2, "baseline": None},
        {"seeds": 1, "sizes": (1,), "skip": [("none", 1, 0), ("mixup", 1, 0)]},
        {"seeds": 2, "sizes": (1, 2), "skip": [("none", s, i) for s in (1, 2) for i in (0, 1)]},
    ],
    ids=["one seed", "one size", "no baseline", "nothing yet", "baseline missing"],
)
def test_pages_of_odd_studies_are_whole(result, options):
    page = Page(render_page(result("mixup", **options)))
    assert page.tables["cells"]
    assert page.data["curves"]["augmentations"]


def test_another_confidence_is_used_everywhere(result):
    study = result("mixup", seeds=5)
    wide, narrow = (
        Page(render_page(study, confidence=level)).tables["effects-0"][0]["difference"]
        for level in (0.99, 0.5)
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert "99 % t interval" in render_page(study, confidence=0.99)


def test_a_page_that_cannot_be_written_is_one_clear_line(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*; name a writable file with --html"):
        save_page(result("mixup", seeds=1), tmp_path / "file" / "page.html")


def test_a_report_without_figures_imports_nothing_slow(result, tmp_path):
    result("mixup", seeds=2)
    code = (
        "import sys, augbench.cli\n"
        f"try: augbench.cli.main(['report', '--no-figures', '--out', {str(tmp_path)!r}])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "slow = {'torch', 'matplotlib', 'jinja2', 'PIL', 'scipy.stats', 'pyarrow'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("sizes", "title"), [((1, 2, 4), "established anywhere"), ((4,), "established")]
)
def test_what_is_established_is_said_to_be_of_any_size_and_not_of_the_average(result, sizes, title):
    text = render_page(result("mixup", sizes=sizes))
    head = re.search(r'<th[^>]* data-key="established"[^>]*>([^<]*)</th>', text)
    assert head[1] == title
    assert ("At some size, or on average" in head[0]) == (len(sizes) > 1)
