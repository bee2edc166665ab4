"""Figures of augmented images: one augmentation in detail, or all of them at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from augbench.pictures.archive import Picture
from augbench.pictures.making import make_picture
from augbench.plotting import one_line, save_figure, style, wrapped

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.components import Component
    from augbench.plugins.registry import Registry

__all__ = ["draw_augmentation", "draw_gallery", "preview"]


def preview(
    registry: Registry,
    augmentations: Sequence[Component],
    dataset: Dataset,
    folder: Path,
    *,
    columns: int = 10,
    seed: int = 0,
) -> list[Path]:
    """Draw each augmentation on `columns` training images, mixed with each other as in a batch.

    Returns the paths of the figures, `augmentation-NAME.png` and `.svg` in `folder`. Raises
    `UsageError` if there are fewer columns than an augmentation has sources.
    """
    paths = []
    for component in augmentations:
        drawn = make_picture(registry, component, dataset, columns=columns, seed=seed)
        figure = draw_augmentation(component.label, drawn.originals, drawn.results, drawn.captions)
        slug = re.sub(r"[^A-Za-z0-9.=_-]+", "_", component.label)
        paths += save_figure(figure, folder / f"augmentation-{slug}")
    return paths


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


def draw_gallery(pictures: Sequence[Picture], dataset: str) -> Figure:
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
