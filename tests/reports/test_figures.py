import re
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import fill, make_study

from augbench.errors import StoreError
from augbench.pictures.archive import Picture
from augbench.plotting import FileNames, slug, style
from augbench.reports.figures import save_figures, update_figures
from augbench.reports.figures.calibration import calibration
from augbench.reports.figures.curves import learning_curves
from augbench.reports.figures.differences import forest, paired_differences
from augbench.reports.figures.multipliers import label_multiplier_figure
from augbench.results import StudyResult
from augbench.store import Store

PAIR = ("digits", "letters")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def result(tmp_path):
    """Read what `fill` wrote."""

    def make(*augmentations, fail=(), skip=(), **options):
        study = make_study(augmentations or ("collage", "mixup"), **options)
        fill(tmp_path, study, fail=fail, skip=skip)
        with Store.read(tmp_path) as store:
            return StudyResult(store.study())

    return make


def _names(paths):
    return [path.name for path in paths]


def test_every_figure_is_drawn_as_png_svg_and_pdf(result, tmp_path):
    drawn = save_figures(result(seeds=4), tmp_path / "figures")
    assert _names(drawn) == [
        f"{stem}.{suffix}"
        for stem in (
            "learning-curves-digits-to-letters",
            "differences-digits-to-letters",
            "label-multipliers-digits-to-letters",
            "calibration-digits-to-letters",
            "effects",
        )
        for suffix in ("png", "svg", "pdf")
    ]
    assert all(path.stat().st_size > 1000 for path in drawn)


@pytest.mark.usefixtures("figures_by_name")
def test_training_curves_are_drawn_for_computed_cells_only(result, tmp_path):
    study = result("mixup", seeds=1, sizes=(1, 2), fail=[("mixup", 2, 0)])
    drawn = save_figures(study, tmp_path / "figures", train_curves=True)
    curves = [path.name for path in drawn if path.parent.name == "train-curves"]
    assert curves == [
        f"digits-to-letters-{arm}-seed0.png" for arm in ("none-s1", "none-s2", "mixup-s1")
    ]


def test_pictures_are_drawn_one_figure_a_data_set(result, tmp_path):
    images = np.zeros((4, 1, 8, 8), np.uint8)
    colour = np.zeros((4, 3, 8, 8), np.uint8)
    pictures = [
        Picture("digits", "mixup", images, images + 90, ("a",) * 4),
        Picture("digits", "collage", images, images + 90, ("a",) * 4),
        Picture("colours/x", "mixup", colour, colour + 90, ("a",) * 4),
    ]
    drawn = save_figures(result("mixup", seeds=1), tmp_path / "figures", pictures=pictures)
    assert _names(drawn)[-6::3] == [
        "augmentations-digits.png",
        "augmentations-colours_x-93d03f.png",
    ]


def test_figures_have_the_same_bytes_every_time_and_text_that_can_be_searched(result, tmp_path):
    study = result("mixup", seeds=2, sizes=(1, 4), references=True)
    first, second = (save_figures(study, tmp_path / name) for name in ("first", "second"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
        if one.suffix == ".svg":
            words = [element.text for element in ElementTree.parse(one).iter(f"{SVG}text")]
            assert {"none", "mixup"} & set(words), one.name
        if one.suffix == ".pdf":  # TrueType, which venues take, and no Type 3
            assert b"/FontFile2" in one.read_bytes()
            assert b"/Type3" not in one.read_bytes()


ODD = {
    "names": (
        ["$\\frac{$", "_hidden", "a\nb\tc", "混合", "x" * 300],
        {"pairs": [("$a_1$", "../</script>")]},
    ),
    "one seed and size": (["mixup"], {"seeds": 1, "sizes": (5,), "references": True}),
    "no baseline": (["mixup"], {"baseline": None}),
    "many arms and seeds": ([f"a{i}" for i in range(12)], {"seeds": 18}),
    "no arm": (["mixup"], {"skip": [("mixup", s, i) for s in (1, 2) for i in (0, 1)]}),
    "empty": ([], {"seeds": 1, "sizes": (1,), "skip": [("none", 1, 0)]}),
}


@pytest.mark.parametrize(("augmentations", "options"), ODD.values(), ids=ODD.keys())
def test_figures_of_odd_studies_are_drawn_without_a_warning(
    result, tmp_path, augmentations, options
):
    drawn = save_figures(
        result(*augmentations, **{"seeds": 2, "sizes": (1, 2), **options}), tmp_path / "figures"
    )
    assert drawn
    assert {path.parent for path in drawn} == {tmp_path / "figures"}


def test_the_learning_curves_show_the_means_and_intervals_of_the_table(result):
    study = result("mixup", seeds=5)
    with style():
        (axes,) = learning_curves(study, PAIR).axes
    markers = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    for label, line in zip(study.augmentations, markers, strict=True):
        rows = [row for row in study.table() if row["augmentation"] == label]
        np.testing.assert_allclose(line.get_ydata(), [100 * row["mean"] for row in rows])
    bands = [collection.get_paths()[0].vertices[:, 1] for collection in axes.collections]
    rows = [row for row in study.table() if row["augmentation"] == "none"]
    assert max(bands[0]) == pytest.approx(100 * max(row["upper"] for row in rows))


def test_the_forest_has_a_row_for_each_augmentation_and_pair(result):
    study = result("collage", "mixup", seeds=7, pairs=[("a", "b"), ("a", "c")])
    analyses = {pair: study.analysis(pair) for pair in study.pairs}
    with style():
        (axes,) = forest(study, analyses).axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["a → b", "collage", "mixup", "a → c", "collage", "mixup"]
    first = analyses["a", "b"].comparisons[0].difference
    assert f"{100 * first.mean:+.1f}".replace("-", "−") in axes.texts[0].get_text()


@pytest.mark.parametrize("count", [1, 10])
def test_legends_lie_outside_of_the_axes(result, count):
    study = result(*(f"a-rather-long-name-{i}:alpha=0.5" for i in range(count)), seeds=2)
    analysis = study.analysis(PAIR)
    with style():
        for figure in (
            learning_curves(study, PAIR),
            paired_differences(study, PAIR, analysis),
            label_multiplier_figure(study, PAIR, analysis),
        ):
            figure.draw_without_rendering()
            (legend,) = figure.legends
            box = legend.get_window_extent()
            assert all(not box.overlaps(axes.get_window_extent()) for axes in figure.axes)
            assert figure.bbox.contains(box.x1 - 1, box.y1 - 1)


def test_the_calibration_figure_holds_every_band_of_both_columns(result):
    study = result("mixup", seeds=2)
    for cell in study.cells:  # scaling makes these far worse, and their seeds differ
        cell.result.metrics.update(ece_scaled=0.5 + 0.4 * cell.seed, nll_scaled=9.0 + cell.seed)
    with style():
        axes = calibration(study, PAIR, confidence=0.5).axes
    for panel in axes:
        bottom, top = panel.get_ylim()
        assert bottom == 0
        for band in panel.collections:
            assert band.get_paths()[0].vertices[:, 1].max() <= top


FOLDER = "folder:/home/someone/pictures/garden-birds-2024:size=32,test_fraction=0.2"


def _labels(axes):
    return axes.xaxis.label, axes.yaxis.label, axes._left_title


def test_the_names_of_folders_are_whole_in_labels_and_lie_inside_of_the_figure(result):
    pair = (FOLDER, FOLDER.replace("birds", "trees"))
    study = result("mixup", seeds=3, pairs=[pair, pair[::-1]])
    analyses = {one: study.analysis(one) for one in study.pairs}
    with style():
        figures = [
            learning_curves(study, pair),
            paired_differences(study, pair, analyses[pair]),
            label_multiplier_figure(study, pair, analyses[pair]),
            calibration(study, pair),
            forest(study, analyses),
        ]
        for figure in figures:
            figure.draw_without_rendering()
            texts = [
                text
                for axes in figure.axes
                for text in (*_labels(axes), *axes.get_yticklabels())
                if text.get_text()
            ]
            for text in texts:
                box = text.get_window_extent()
                assert figure.bbox.contains(box.x0, box.y0), text
                assert figure.bbox.contains(box.x1, box.y1), text
            words = "".join(text.get_text().replace("\n", "") for text in texts)
            assert all(name in words for name in pair)


def test_censored_multipliers_are_arrows_at_the_edge_of_what_was_measured(result):
    study = result("mixup", "collage", "cutmix", seeds=8, sizes=(1, 2, 4))
    analysis = study.analysis(PAIR)
    rows = [row for one in analysis.comparisons for row in one.by_size]
    told = [row.multiplier for row in rows if row.p_adjusted <= 0.05]
    with style():
        (axes,) = label_multiplier_figure(study, PAIR, analysis).axes
    marks = Counter(line.get_marker() for line in axes.lines)
    assert marks["^"] == sum(m.censored == "above" or np.isinf(m.upper) for m in told)
    assert marks["v"] == sum(m.censored == "below" or m.lower == 0 for m in told)
    assert sum(marks[one] for one in "sDP") == sum(not m.censored for m in told)
    assert marks["^"]
    assert marks["P"]
    assert len(told) < len(rows)


def test_multipliers_are_drawn_for_established_differences_alone_and_their_lack_is_said(result):
    study = result("mixup", seeds=3)  # too few seeds to establish anything
    with style():
        (axes,) = label_multiplier_figure(study, PAIR, study.analysis(PAIR)).axes
    (line,) = axes.lines
    assert set(line.get_ydata()) == {1}
    assert "nothing to draw" in axes.get_title(loc="left").replace("\n", " ")


def test_a_figure_that_cannot_be_written_is_one_clear_line(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*; name a writable folder with out"):
        save_figures(result("mixup", seeds=1), tmp_path / "file")


def test_file_names_stay_in_their_folder():
    assert slug("../../etc/passwd", "a b") == ".._.._etc_passwd-3754d6-to-a_b-c8687a"


def test_ordinary_names_are_file_names_as_they_are():
    assert slug("glyph-digits", "glyph-letters") == "glyph-digits-to-glyph-letters"
    assert slug("mixup:alpha=0.4") == "mixup_alpha=0.4"
    assert slug("none") == "none"


@settings(max_examples=300)
@given(st.lists(st.text(st.characters(codec=None), max_size=300), min_size=2, max_size=2))
@example(["a/b", "a_b"])
@example(["mixup:alpha=0.4", "mixup_alpha=0.4"])
@example(["_a", "a"])
@example(["x" * 300, "x" * 299])
@example(["\ud800", "\ud801"])
@example(["", "/"])
def test_different_names_have_different_short_file_names(names):
    one, other = map(slug, names)
    assert (one == other) == (names[0] == names[1])
    for name in (one, other):
        assert re.fullmatch(r"[A-Za-z0-9.=_-]{0,64}", name)


LONG = "folder:path=" + "/a/long/way" * 40


@pytest.mark.usefixtures("figures_as_svg")
def test_long_and_alike_names_have_figures_of_their_own(result, tmp_path):
    pairs = [("a/b", LONG), ("a_b", LONG)]
    hostile = f"\x1b[31m\u202e{LONG}"
    study = result(baseline=hostile, seeds=1, sizes=(1,), pairs=pairs)
    drawn = save_figures(study, tmp_path / "figures", train_curves=True)
    files = [path for path in (tmp_path / "figures").rglob("*") if path.is_file()]
    assert len({str(path).casefold() for path in drawn}) == len(drawn) == len(files)
    assert all(len(path.name) < 255 for path in files)
    assert all(path.stat().st_size > 1000 for path in files)
    for path in files:
        if path.suffix == ".svg":
            ElementTree.parse(path)  # no sign in it that XML cannot hold


def test_figures_keep_their_width_until_another_is_asked_for(result, tmp_path):
    study, drawn = result("mixup", seeds=1, sizes=(1, 2)), []

    def draw(one, folder, *, width, **_):
        drawn.append(width)
        path = folder / ("nll" if one.metric == "nll" else "") / "curves.png"
        path.parent.mkdir(exist_ok=True)
        path.write_text(width)
        return [path]

    def widths(one=study, **options):
        drawn.clear()
        update_figures(one, tmp_path, draw=draw, **options)
        return drawn

    assert widths() == ["page"]
    assert widths(width="column") == ["column"]
    assert widths() == []
    # Drawn anew for another reason, and those of another metric for the first time.
    assert widths(confidence=0.9) == ["column"]
    assert widths(study.about("nll")) == ["column"]
    assert widths(width="page") == ["page"]
    assert widths(study.about("nll")) == []
    (tmp_path / ".figures.json").write_text('["damaged"]')
    assert widths() == ["page"]


@pytest.mark.usefixtures("figures_as_svg")
def test_figures_that_were_damaged_are_drawn_again(result, tmp_path):
    study = result("mixup", seeds=1, sizes=(1, 2))
    drawn = update_figures(study, tmp_path)
    assert len(drawn) > 1
    figure = tmp_path / "learning-curves-digits-to-letters.svg"
    before = figure.read_bytes()
    (line,) = update_figures(study, tmp_path)
    assert line.endswith("are up to date")
    for spoil in (lambda path: path.write_bytes(b""), lambda path: path.unlink()):
        spoil(figure)
        assert update_figures(study, tmp_path) == drawn
        assert figure.read_bytes() == before


def test_names_that_a_file_system_may_take_for_one_are_told_apart():
    names = FileNames()
    given = ["figure-a-to-b", "figure-A-to-B", "figure-a-to-b", "figure-a-to-c"]
    expected = ["figure-a-to-b", "figure-A-to-B-2", "figure-a-to-b-3", "figure-a-to-c"]
    assert [names.add(name) for name in given] == expected
