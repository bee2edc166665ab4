import itertools

import numpy as np
import pytest

from augbench.pictures.drawing import draw_augmentation, draw_gallery
from augbench.plotting import style

FOLDER = "folder:/home/someone/pictures/garden-birds-2024:size=32,test_fraction=0.2"
NAMES = ("seven", "golden retriever", "yellow-bellied sapsucker", "a + b")


def _figure(sources, columns=6):
    images = np.zeros((columns, 1, 28, 28), np.uint8)
    caption = " + ".join(f"{1 / sources:.2f} {NAMES[k % len(NAMES)]}" for k in range(sources))
    figure = draw_augmentation(FOLDER, images, images, [caption] * columns)
    with style():
        figure.draw_without_rendering()
    return figure, caption


@pytest.mark.parametrize("sources", [1, 2, 4, 7])
def test_captions_lie_beside_each_other_and_between_the_rows_of_images(sources):
    figure, _ = _figure(sources)
    above, below = figure.axes[:6], figure.axes[6:]
    boxes = [panel._left_title.get_window_extent() for panel in below]
    for left, right in itertools.pairwise(boxes):
        assert left.x1 <= right.x0
    for panel, box in zip(above, boxes, strict=True):
        assert box.y1 <= panel.get_window_extent().y0
    assert boxes[-1].x1 <= figure.bbox.x1


@pytest.mark.parametrize("sources", [1, 2, 4, 7])
def test_captions_are_whole(sources):
    figure, caption = _figure(sources)
    shown = figure.axes[6].get_title(loc="left")
    assert "".join(shown.split()) == "".join(caption.split())


def test_the_names_of_folders_are_whole(tmp_path):
    from augbench.pictures.archive import Picture

    images = np.zeros((8, 3, 8, 8), np.uint8)
    with style():
        gallery = draw_gallery([Picture(FOLDER, "mixup", images, images, ("",) * 8)], FOLDER)
    titles = gallery.axes[0].texts[0].get_text(), _figure(2)[0].get_suptitle()
    assert all(FOLDER in title.replace("\n", "") for title in titles)
