"""Figures: PNG and SVG, in a colour-blind safe palette, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from augbench.pictures.archive import Picture
from augbench.pictures.drawing import draw_gallery
from augbench.plotting import save_figure, slug, style
from augbench.reports.figures.calibration import calibration
from augbench.reports.figures.curves import learning_curves
from augbench.reports.figures.differences import forest, paired_differences
from augbench.reports.figures.multipliers import label_multiplier_figure
from augbench.reports.figures.training import cell_slug, training_curves
from augbench.results import StudyResult

__all__ = ["save_figures"]


def save_figures(
    result: StudyResult,
    folder: Path,
    *,
    train_curves: bool = False,
    pictures: Iterable[Picture] = (),
    confidence: float = 0.95,
) -> list[Path]:
    """Draw everything that the study has results for; returns the files, PNG and SVG.

    The learning curves come first. `pictures` are those that the store's folder keeps of the study
    (`augbench.pictures.archive`); `train_curves` adds a PNG for every computed cell. Raises
    `StoreError` if the folder cannot be written.
    """
    with style():
        paths = _of_pairs(result, folder, confidence)
        by_dataset: dict[str, list[Picture]] = {}
        for picture in (picture for picture in pictures if not picture.problem):
            by_dataset.setdefault(picture.dataset, []).append(picture)
        for dataset, mine in by_dataset.items():
            paths += save_figure(
                draw_gallery(mine, dataset), folder / f"augmentations-{slug(dataset)}"
            )
        if train_curves:
            for cell in result.cells:
                if cell.result is not None and cell.result.ok:
                    target = folder / "train-curves" / cell_slug(cell)
                    paths += save_figure(training_curves(cell), target, ["png"])
    return paths


def _of_pairs(result: StudyResult, folder: Path, confidence: float) -> list[Path]:
    paths, analyses = [], {}
    for pair in result.pairs:
        name = slug(*pair)
        curves = learning_curves(result, pair, confidence=confidence)
        paths += save_figure(curves, folder / f"learning-curves-{name}")
        analysis = result.analysis(pair, confidence=confidence)
        if analysis is not None and analysis.comparisons:
            analyses[pair] = analysis
            figure = paired_differences(result, pair, analysis)
            paths += save_figure(figure, folder / f"differences-{name}")
            figure = label_multiplier_figure(result, pair, analysis)
            paths += save_figure(figure, folder / f"label-multipliers-{name}")
        scores = calibration(result, pair, confidence=confidence)
        if scores is not None:
            paths += save_figure(scores, folder / f"calibration-{name}")
    if analyses:
        paths += save_figure(forest(result, analyses), folder / "effects")
    return paths
