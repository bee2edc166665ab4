"""Figures of augmented images: one augmentation in detail, or all of them at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError
from augbench.pictures.archive import Picture
from augbench.plotting import (
    FileNames,
    in_column,
    letters,
    new_figure,
    one_line,
    save_figure,
    slug,
    style,
    wrapped,
)

# isort: split
from matplotlib.axes import Axes  # after plotting, which imports matplotlib in any environment
from matplotlib.figure import Figure

__all__ = ["draw_augmentation", "draw_gallery", "draw_previews"]

_CAPTION = 20
"""Letters of 7 points above an image that is 1.1 inches wide."""
_SMALL = 5.5
"""The size of a gallery's captions, in points."""
_LINE = 0.17
"""The height of a line of a gallery's title, in inches."""
_MOST_SOURCES = 4
_PIXELS: dict[str, Any] = {
    "aspect": "auto",
    "interpolation": "none",  # pixels as they are, also in vector files
    "cmap": "gray",
    "vmin": 0,
    "vmax": 255,
}
_NAME: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": "small"}


def draw_previews(pictures: Iterable[Picture], folder: Path) -> Iterator[Path]:
    """Draw each picture as it comes: `augmentation-NAME.png`, `.svg` and `.pdf` in `folder`.

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
    """The originals in the first row, then a row of results for each augmentation.

    Where labels are mixed, the share of each source stands below its image. Augmentations that
    could not be drawn are named under the last row, with the reason.
    """
    drawn = [picture for picture in pictures if not picture.problem]
    figure = new_figure(1)
    width = figure.get_figwidth()
    count = len(drawn[0].originals) if not in_column() else min(4, len(drawn[0].originals))
    left = 0.2 * width
    cell = (width - left) / count
    fitting = int(0.92 * cell * 72 / (0.58 * _SMALL))
    rows = [("original", drawn[0].originals[:count], ("",) * count)]
    rows += [(one.augmentation, one.results[:count], _shares(one, count, fitting)) for one in drawn]
    omitted = [f"not drawn: {one.augmentation} ({one.problem})" for one in pictures if one.problem]
    title = wrapped(f"training images of {dataset}", letters(width - 0.2))

    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))  # in inches, from the top
    y = 0.08 + _LINE * (title.count("\n") + 1)
    axes.text(width / 2, 0.04, title, ha="center", va="top")
    for name, images, captions in rows:
        high, wide = images.shape[2:]
        tall = cell * high / (wide + _gap(wide))
        axes.text(left - 0.06, y + tall / 2, wrapped(name, letters(left)), **_NAME)
        axes.imshow(_strip(images), extent=(left, width, y + tall, y), **_PIXELS)
        y += tall + 0.04
        for k, caption in enumerate(captions):
            axes.text(left + k * cell, y - 0.02, caption, va="top", fontsize=_SMALL)
        most = max(caption.count("\n") + 1 if caption else 0 for caption in captions)
        y += most * _SMALL * 1.2 / 72 + 0.03 * bool(most)
    for line in omitted:
        told = wrapped(line, letters(width - 0.2))
        axes.text(0.06, y + 0.04, told, va="top", fontsize="small")
        y += _LINE * (told.count("\n") + 1)
    figure.set_figheight(y + 0.06)
    axes.set_xlim(0, width)
    axes.set_ylim(y + 0.06, 0)
    axes.set_axis_off()
    return figure


def _strip(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images [N, C, H, W] beside each other as [H, …, 3] or [H, …], with white between them."""
    count, _, height, width = images.shape
    pixels = images.transpose(2, 0, 3, 1)  # [H, N, W, C]
    gap = np.full((height, count, _gap(width), pixels.shape[-1]), 255, np.uint8)
    strip = np.concatenate([pixels, gap], axis=2).reshape(height, -1, pixels.shape[-1])
    return strip if strip.shape[-1] == 3 else strip[:, :, 0]


def _gap(width: int) -> int:
    """The pixels of white behind an image of that width."""
    return max(1, width // 12)


def _shares(picture: Picture, count: int, fitting: int) -> tuple[str, ...]:
    """The captions of mixed labels, a source a line; of many, those of the largest share."""
    if not any(" + " in caption for caption in picture.captions):
        return ("",) * count
    texts = []
    for caption in picture.captions[:count]:
        sources = sorted(caption.split(" + "), key=_share, reverse=True)
        lines = [one_line(source, fitting) for source in sources[:_MOST_SOURCES]]
        more = len(sources) - len(lines)
        texts.append("\n".join([*lines, *([f"and {more} more"] * bool(more))]))
    return tuple(texts)


def _share(source: str) -> float:
    """The number in front of a source's class."""
    try:
        return float(source.split(" ", 1)[0])
    except ValueError:  # a class with a plus sign in its name
        return 0.0


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
