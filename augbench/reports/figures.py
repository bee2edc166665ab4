"""Figures: PNG and SVG, in a colour-blind safe palette, the same on every machine.

Drawn on the Agg and SVG canvases directly: no display, no global state of pyplot, no font but
the ones that matplotlib ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from augbench.errors import StoreError
from augbench.results import Pair, StudyResult
from augbench.store import PlannedCell

__all__ = ["draw_augmentation", "save_figure", "save_figures"]

# Okabe and Ito (2008), "Color universal design"; black is the baseline's.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
_MARKERS = "osD^vPX"
_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "path",  # text as outlines: no machine's fonts are asked for
    "svg.hashsalt": "augbench",  # the same bytes for the same figure
    "savefig.bbox": "tight",
    "savefig.dpi": 200,
}


@contextmanager
def _style() -> Iterator[None]:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type]  # its keys are literals
        yield


def save_figure(figure: Figure, path: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write `path` with each format's suffix; raises `StoreError` if that is impossible."""
    FigureCanvasAgg(figure)
    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in formats]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for target in paths:
            metadata = {"Date": None} if target.suffix == ".svg" else {"Software": None}
            figure.savefig(target, metadata=metadata)
    except OSError as error:
        raise StoreError(
            f"cannot write {str(error.filename or path)!r} ({error.strerror}); "
            "name a writable folder with --out"
        ) from error
    return paths


def save_figures(result: StudyResult, folder: Path, *, train_curves: bool = False) -> list[Path]:
    """Draw the learning curves of every pair and, if asked, the training curves of every cell."""
    paths = []
    with _style():
        for pair in result.pairs:
            figure = _learning_curves(result, pair)
            paths += save_figure(figure, folder / f"learning-curves-{_slug(*pair)}")
        if train_curves:
            for cell in result.cells:
                if cell.result is not None and cell.result.ok:
                    figure = _training_curves(cell)
                    paths += save_figure(
                        figure, folder / "train-curves" / _cell_slug(cell), ["png"]
                    )
    return paths


def _slug(*names: str) -> str:
    return "-to-".join(re.sub(r"[^A-Za-z0-9.=_-]+", "_", name).strip("_") for name in names)


def _cell_slug(cell: PlannedCell) -> str:
    size = {0: "floor", None: "ceiling"}.get(cell.samples_per_class, f"s{cell.samples_per_class}")
    pair = _slug(cell.pretrain_dataset, cell.finetune_dataset)
    return f"{pair}-{_slug(cell.augmentation)}-{size}-seed{cell.seed}"


def colours(result: StudyResult) -> dict[str, str]:
    """The colour of each augmentation: black for the baseline."""
    others = [label for label in result.augmentations if label != result.baseline]
    assigned = {label: _PALETTE[i % len(_PALETTE)] for i, label in enumerate(others)}
    return {label: assigned.get(label, "#000000") for label in result.augmentations}


def _learning_curves(result: StudyResult, pair: Pair) -> Figure:
    """Accuracy against samples per class on a log2 axis: mean, and a 95 % t band, per arm."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    rows = [r for r in result.table() if (r["pretrain_dataset"], r["finetune_dataset"]) == pair]
    colour = colours(result)
    for i, label in enumerate(result.augmentations):
        mine = [row for row in rows if row["augmentation"] == label]
        size, mean, lower, upper = (
            np.array([row[name] for row in mine], float)
            for name in ("samples_per_class", "mean", "lower", "upper")
        )
        axes.fill_between(size, 100 * lower, 100 * upper, color=colour[label], alpha=0.15, lw=0)
        axes.plot(
            size,
            100 * mean,
            color=colour[label],
            marker=_MARKERS[i % len(_MARKERS)],
            markersize=4,
            linewidth=1.5,
            label=label,
        )
    _log2_axis(axes, result.sizes)
    axes.set_xlabel(f"pretraining samples per class of {pair[0]} (log$_2$ scale)")
    axes.set_ylabel(f"test accuracy on {pair[1]} (%)")
    axes.legend()
    n = result.seeds
    title = f"mean of n = {n} seeds, band: 95 % t interval" if n > 1 else "n = 1 seed"
    axes.set_title(title, fontsize=9, loc="left")
    return figure


def _log2_axis(axes: Axes, sizes: tuple[int, ...]) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(size) for size in sizes])


def _training_curves(cell: PlannedCell) -> Figure:
    """Loss and accuracy over the steps of both trainings of one cell."""
    assert cell.result is not None
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col")
    for column, (phase, dataset) in enumerate(
        (("pretrain", cell.pretrain_dataset), ("finetune", cell.finetune_dataset))
    ):
        curve = cell.result.curves[phase]
        for row, (train, test, name) in enumerate(
            (
                (curve.loss, curve.test_loss, "loss (nats)"),
                (curve.accuracy, curve.test_accuracy, "accuracy"),
            )
        ):
            panel = axes[row, column]
            panel.plot(curve.step, train, color=_PALETTE[0], linewidth=1.2, label="training")
            if curve.test_step:
                panel.plot(curve.test_step, test, "s--", color=_PALETTE[1], ms=3, label="test")
            panel.set_ylabel(name)
        axes[0, column].set_title(f"{phase} on {dataset}", fontsize=9, loc="left")
        axes[1, column].set_xlabel("batches")
    axes[0, 1].legend()
    size = {0: "floor", None: "all images"}.get(
        cell.samples_per_class, f"{cell.samples_per_class} per class"
    )
    figure.suptitle(f"{cell.augmentation}, {size}, seed {cell.seed}", fontsize=10)
    return figure


def draw_augmentation(
    name: str,
    originals: NDArray[np.uint8],
    results: NDArray[np.uint8],
    captions: Sequence[str],
) -> Figure:
    """The handout's figure: originals above, results below, the weights as captions.

    `originals` and `results` are [N, C, H, W], grey (C = 1) or RGB (C = 3).
    """
    with _style():
        count = len(originals)
        figure = Figure(figsize=(1.1 * count, 2.6), layout="constrained")
        axes = figure.subplots(2, count, squeeze=False)
        for row, images in enumerate((originals, results)):
            for panel, image in zip(axes[row], images, strict=True):
                if len(image) == 3:
                    panel.imshow(image.transpose(1, 2, 0))
                else:
                    panel.imshow(image[0], cmap="gray", vmin=0, vmax=255)
                panel.set_axis_off()
        for panel, caption in zip(axes[1], captions, strict=True):
            panel.set_title(caption, fontsize=7)
        figure.suptitle(f"{name}: originals above, results below", fontsize=9)
        return figure
