"""Gallery: training images before and after each augmentation."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.pictures.archive import Picture
from augbench.reports.sections._section import NamedFigure, Report, Section

__all__ = ["Gallery"]


class Gallery(Section):
    """Images before and after each augmentation, a table and a figure for each data set."""

    name = "gallery"
    of_view = False
    chapter = "gallery"

    def page(self, report: Report) -> dict[str, Any] | None:
        """The images as data URIs, by data set."""
        return {"datasets": _galleries(report.pictures)} if report.pictures else None

    def study_figures(self, report: Report) -> Iterator[NamedFigure]:
        """The originals in the first row, then a row for each augmentation."""
        by_dataset: dict[str, list[Picture]] = {}
        for picture in report.pictures:
            by_dataset.setdefault(picture.dataset, []).append(picture)
        if report.pictures:
            from augbench.pictures.drawing import draw_gallery
            from augbench.plotting import slug

            for dataset, pictures in by_dataset.items():
                if all(picture.problem for picture in pictures):
                    continue
                name = f"augmentations-{slug(dataset)}"
                yield NamedFigure(name, draw_gallery(pictures, dataset))


def _galleries(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """For each data set the originals, and each augmentation's results, as (image, caption)."""
    galleries: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        gallery = galleries.setdefault(
            picture.dataset, {"dataset": picture.dataset, "originals": [], "rows": []}
        )
        if not picture.problem and not gallery["originals"]:
            gallery["originals"] = [_png(image) for image in picture.originals]
        shown = zip(picture.results, picture.captions, strict=True)
        gallery["rows"].append(
            {
                "augmentation": picture.augmentation,
                "problem": picture.problem,
                "images": [(_png(image), caption) for image, caption in shown],
            }
        )
    return list(galleries.values())


def _png(image: NDArray[np.uint8]) -> str:
    """A data URI of an image [C, H, W]."""
    from PIL import Image

    grey = len(image) != 3
    file = io.BytesIO()
    Image.fromarray(image[0] if grey else np.ascontiguousarray(image.transpose(1, 2, 0))).save(
        file, format="PNG", optimize=False
    )
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
