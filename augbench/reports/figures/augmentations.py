"""What augmentations do to images: one of them in detail, or all of them at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from augbench.gallery import Picture
from augbench.reports.figures.style import one_line, style, wrapped

__all__ = ["draw_augmentation", "gallery"]


def draw_augmentation(
    name: str,
    originals: NDArray[np.uint8],
    results: NDArray[np.uint8],
    captions: Sequence[str],
) -> Figure:
    """The handout's figure: originals above, results below, the weights as captions.

    `originals` and `results` are [N, C, H, W], grey (C = 1) or RGB (C = 3).
    """
    with style():
        count = len(originals)
        figure = Figure(figsize=(1.1 * count, 2.6), layout="constrained")
        axes = figure.subplots(2, count, squeeze=False)
        for row, images in enumerate((originals, results)):
            for panel, image in zip(axes[row], images, strict=True):
                _show(panel, image)
        for panel, caption in zip(axes[1], captions, strict=True):
            panel.set_title(one_line(caption, 40), fontsize=7)
        figure.suptitle(f"{one_line(name)}: originals above, results below", fontsize=9)
        return figure


def gallery(pictures: Sequence[Picture], dataset: str) -> Figure:
    """The originals in the first row, then a row of results for each augmentation."""
    count = len(pictures[0].originals)
    rows = [("original", pictures[0].originals)]
    rows += [(picture.augmentation, picture.results) for picture in pictures]
    figure = Figure(figsize=(1.3 + 0.72 * count, 0.3 + 0.78 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), count, squeeze=False)
    for line, (name, images) in zip(axes, rows, strict=True):
        for panel, image in zip(line, images, strict=True):
            _show(panel, image)
        line[0].text(
            -0.12,
            0.5,
            wrapped(name, 22),
            transform=line[0].transAxes,
            ha="right",
            va="center",
            fontsize=8,
        )
    figure.suptitle(f"training images of {one_line(dataset, 40)}", fontsize=9)
    return figure


def _show(panel: Axes, image: NDArray[np.uint8]) -> None:
    if len(image) == 3:
        panel.imshow(image.transpose(1, 2, 0), interpolation="nearest")
    else:
        panel.imshow(image[0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_axis_off()
