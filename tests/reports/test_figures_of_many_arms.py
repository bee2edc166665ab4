"""Figures of more arms than can be told apart, of several pairs, and in both widths."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image
from synthetic import make_study

from augbench.pictures.archive import Picture
from augbench.pictures.drawing import draw_gallery
from augbench.plotting import WIDTHS, new_figure, save_figure, style
from augbench.reports.figures import _figures
from augbench.reports.figures.curves import curves_of_all_pairs, learning_curves
from augbench.reports.figures.differences import forest, paired_differences
from augbench.reports.figures.heat_map import heat_map
from augbench.reports.figures.multipliers import label_multiplier_figure
from augbench.reports.sections import Report

PAIR = ("digits", "letters")
MANY = [f"arm-{i}" for i in range(9)]


def effects(result, pair=PAIR):
    """The mean paired difference of the area of each arm, with NumPy alone."""
    x = np.log2(result.sizes)
    areas = {a: np.trapezoid(result.values(pair, a), x) / np.ptp(x) for a in result.augmentations}
    return {a: float((y - areas["none"]).mean()) for a, y in areas.items() if a != "none"}


def best_five(result, pair=PAIR):
    found = effects(result, pair)
    return sorted(found, key=found.get, reverse=True)[:5]


def names(figure):
    (legend,) = figure.legends
    return [text.get_text().strip() for text in legend.get_texts()]


def test_of_many_arms_the_best_five_and_the_baseline_are_drawn_in_full_and_the_rest_is_told(read):
    result = read(make_study(MANY, seeds=4))
    shown, analysis = {"none", *best_five(result)}, result.analysis(PAIR)
    with style():
        figures = {
            "grey": learning_curves(result, PAIR),
            "the other 4 grey": paired_differences(result, PAIR, analysis),
            "the other 4 left out": label_multiplier_figure(result, PAIR, analysis),
        }
    for words, figure in figures.items():
        told = names(figure)
        assert set(told) - {"4 other arms", "none"} == shown - {"none"}
        assert "the 5 best of 9 arms, " in figure.axes[0].get_title(loc="left").replace("\n", " ")
        assert words in figure.axes[0].get_title(loc="left").replace("\n", " ")
    colours = {to_hex(line.get_color()) for line in figures["grey"].axes[0].lines}
    assert len(colours) == 1 + 5 + 1  # the baseline, five that differ, and grey


def test_the_curves_of_the_others_are_their_means(read):
    result = read(make_study(MANY, seeds=4))
    with style():
        (axes,) = learning_curves(result, PAIR).axes
    (faint,) = [line for line in axes.lines if to_hex(line.get_color()) == "#c4c4c4"]
    drawn = np.array(faint.get_ydata()).reshape(4, -1)[:, :-1]  # a gap behind each
    others = [a for a in MANY if a not in best_five(result)]
    means = [100 * result.values(PAIR, a).mean(axis=0) for a in others]
    np.testing.assert_allclose(drawn, means)


def test_crosses_mark_the_collapsed_cells_of_the_learning_curves(read):
    result = read(make_study(["mixup"], seeds=4), low=[("mixup", 2, 1), ("none", 8, 3)])
    with style():
        figure = learning_curves(result, PAIR)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    places = {(x, round(y, 6)) for one in crosses for x, y in zip(*one.get_data(), strict=True)}
    assert places == {
        (2, round(100 * result.values(PAIR, "mixup")[1, 1], 6)),
        (8, round(100 * result.values(PAIR, "none")[3, 3], 6)),
    }
    assert "2 collapsed cells" in names(figure)


def test_the_forest_and_the_heat_map_are_sorted_by_effect(read):
    result = read(make_study(MANY, seeds=4))
    analysis, found = result.analysis(PAIR), effects(result)
    order = sorted(found, key=found.get, reverse=True)
    with style():
        ticks = forest(result, {PAIR: analysis}).axes[0].get_yticklabels()
        (map_axes,) = heat_map(result, PAIR, analysis).axes
    assert [tick.get_text() for tick in ticks] == order
    assert [tick.get_text() for tick in map_axes.get_yticklabels()] == [*order, "none (%)"]


def test_the_heat_map_holds_every_difference_and_marks_what_is_established(read):
    result = read(make_study(MANY[:3], seeds=9))
    analysis, found = result.analysis(PAIR), effects(result)
    order = sorted(found, key=found.get, reverse=True)
    with style():
        texts = [text.get_text() for text in heat_map(result, PAIR, analysis).axes[0].texts]
    shown = np.array(texts).reshape(4, 5)
    for label, row in zip(order, shown, strict=False):
        (c,) = [c for c in analysis.comparisons if c.augmentation == label]
        pairs = [*((d.difference, d.p_adjusted) for d in c.by_size), (c.difference, c.p_adjusted)]
        for text, (d, p) in zip(row, pairs, strict=True):
            mark = "" if p > 0.05 else "▲" if d.mean > 0 else "▼"
            assert text == f"{100 * d.mean:+.1f}{mark}".replace("-", "−")
    assert any("▲" in text for text in texts)
    means = 100 * result.values(PAIR, "none").mean(axis=0)
    assert [float(text) for text in shown[-1, :4]] == pytest.approx(means, abs=0.051)


def test_a_heat_map_without_a_baseline_holds_means(read):
    result = read(make_study(["a", "b", "c", "d"], seeds=3, baseline=None))
    with style():
        (axes,) = heat_map(result, PAIR, None).axes
    first = axes.get_yticklabels()[0].get_text()
    mean = 100 * result.values(PAIR, first)[:, 0].mean()
    assert axes.texts[0].get_text() == f"{mean:.1f}"


def test_all_pairs_stand_in_one_figure_a_panel_each(read):
    pairs = [PAIR, ("digits", "digits"), ("letters", "digits")]
    result = read(make_study(["mixup"], pairs=pairs, seeds=3))
    with style():
        panels = curves_of_all_pairs(result).axes
    for pair, panel in zip(pairs, panels, strict=True):
        assert panel.get_title(loc="left").replace("\n", " ") == f"{pair[0]} → {pair[1]}"
        drawn = [line.get_ydata() for line in panel.lines]
        mean = 100 * result.values(pair, "mixup").mean(axis=0)
        assert any(len(y) == 4 and np.allclose(y, mean) for y in drawn)


STUDIES = {
    "many": {"augmentations": MANY, "shift": ("noise", "blur", "jpeg")},
    "tuned": {"augmentations": ["mixup"], "tuning": {"trials": 3}, "budgets": (100, 400)},
    "pairs": {"augmentations": ["mixup"], "pairs": (PAIR, ("digits", "digits"))},
}


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("width", ["column", pytest.param("page", marks=pytest.mark.slow)])
def test_every_figure_has_the_width_that_is_asked_for_and_readable_letters(width, study, read):
    result = read(make_study(**STUDIES[study], seeds=2, sizes=(1, 4, 16, 32, 64)))
    with style(width):
        for one in _figures(Report(result)):
            one.figure.draw_without_rendering()
            assert one.figure.get_figwidth() == WIDTHS[width], one.name
            texts = [text for text in one.figure.findobj(Text) if text.get_text().strip()]
            assert min(text.get_fontsize() for text in texts) >= 5, one.name
            box = one.figure.get_tightbbox()  # of all that is drawn, in inches
            assert box.x0 > -0.02, one.name
            assert box.x1 < WIDTHS[width] + 0.02, one.name


def test_a_png_has_300_dots_an_inch(tmp_path):
    for width, inches in WIDTHS.items():
        with style(width):
            figure = new_figure(1)
        (path,) = save_figure(figure, tmp_path / width, ("png",))
        with Image.open(path) as image:
            assert image.width == round(300 * inches)
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_gallery_tells_the_shares_of_mixed_labels_and_what_could_not_be_drawn():
    images = np.zeros((8, 1, 8, 8), np.uint8)
    four = "0.10 cat + 0.40 dog + 0.30 a+b + 0.15 eel + 0.05 fox"
    pictures = [
        Picture("digits", "none", images, images, ("1.00 cat",) * 8),
        Picture("digits", "mosaic", images, images + 90, (four,) * 8),
        Picture("digits", "puzzlemix", images[:0], images[:0], (), "it needs gradients"),
    ]
    for width, count in (("page", 8), ("column", 4)):
        with style(width):
            figure = draw_gallery(pictures, "digits")
            figure.draw_without_rendering()
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert texts.count("0.40 dog\n0.30 a+b\n0.15 eel\n0.10 cat\nand 1 more") == count
        assert not any("1.00 cat" in text for text in texts)
        assert any("not drawn: puzzlemix" in text.replace("\n", " ") for text in texts)
        boxes = [
            text.get_window_extent() for text in figure.axes[0].texts if "dog" in text.get_text()
        ]
        assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes))
