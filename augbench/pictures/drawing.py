"""Figures of augmented images: one augmentation in detail, or all of them at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError
from augbench.pictures.archive import Picture
from augbench.plotting import FileNames, save_figure, slug, style, wrapped

# isort: split
from matplotlib.axes import Axes  # after plotting, which imports matplotlib in any environment
from matplotlib.figure import Figure

__all__ = ["draw_augmentation", "draw_gallery", "draw_previews"]

_CAPTION = 20
"""Letters of 7 points above an image that is 1.1 inches wide."""


def draw_previews(pictures: Iterable[Picture], folder: Path) -> Iterator[Path]:
    """Draw each picture as it comes: `augmentation-NAME.png` and `.svg` in `folder`.

    Yields the paths. Raises `AugbenchError` for a picture that could not be made.
    """
    names = FileNames()
    for picture in pictures:
        if picture.problem:
            raise AugbenchError(picture.problem)
        figure = draw_augmentation(
            picture.augmentation, picture.originals, picture.results, picture.captions
        )
        name = names.add(f"augmentation-{slug(picture.augmentation)}")
        yield from save_figure(figure, folder / name)


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
        texts = [_one_source_a_line(caption) for caption in captions]
        lines = max((text.count("\n") for text in texts), default=0)
        # A row of captions grows with its lines, of 7 points and their leading each.
        figure = Figure(figsize=(1.1 * count, 2.6 + 0.12 * lines), layout="constrained")
        axes = figure.subplots(2, count, squeeze=False)
        for row, images in enumerate((originals, results)):
            for panel, image in zip(axes[row], images, strict=True):
                _show(panel, image)
        for panel, text in zip(axes[1], texts, strict=True):
            panel.set_title(text, fontsize=7)
        letters = max(20, int(14 * figure.get_figwidth()))
        figure.suptitle(wrapped(f"{name}: originals above, results below", letters), fontsize=9)
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
    letters = int(14 * figure.get_figwidth())
    figure.suptitle(wrapped(f"training images of {dataset}", letters), fontsize=9)
    return figure


def _one_source_a_line(caption: str) -> str:
    """A caption no wider than its image: a line for each source, if one line is too long."""
    if len(caption) <= _CAPTION:
        return caption
    return "\n+ ".join(wrapped(source, _CAPTION - 2) for source in caption.split(" + "))


def _show(panel: Axes, image: NDArray[np.uint8]) -> None:
    if len(image) == 3:
        panel.imshow(image.transpose(1, 2, 0), interpolation="nearest")
    else:
        panel.imshow(image[0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_axis_off()
