"""The figures of the study, drawn from its stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from stores import HERE, PAIRS, PHOTOGRAPHS, answer, settings_of

from augbench.statistics import mean_interval

if TYPE_CHECKING:
    from pages import Experiment

NAMES = {
    "mnist-mnist": "MNIST → MNIST",
    "letters-letters": "letters → letters",
    "mnist-letters": "MNIST → letters",
    "letters-mnist": "letters → MNIST",
}
COLOURS = {  # Okabe and Ito's, which colour-blind readers tell apart
    "none": "#000000",
    "collage": "#D55E00",
    "mixup": "#0072B2",
    "cutmix": "#CC79A7",
    "trivialaugment": "#009E73",
    "randaugment": "#E69F00",
    "random-erasing": "#56B4E9",
}
STEPS = {"shorter": "#9ecae1", "handout": "#4292c6", "longer": "#08519c", "longest": "#08306b"}


def draw(handout: Experiment) -> Iterator[Path]:
    """Draw every figure into the folder `figures`; yields their paths."""
    (HERE / "figures").mkdir(exist_ok=True)
    for name, figure in (
        ("handout", _curves(handout)),
        ("budgets", _budgets(handout)),
        ("photographs", _photographs()),
    ):
        path = HERE / "figures" / f"{name}.png"
        figure.savefig(path, dpi=150)
        yield path


def _sizes(axes: Axes, sizes: tuple[int, ...]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _band(axes: Axes, sizes: tuple[int, ...], means, colour: str, label: str, **how) -> None:
    middle = [100 * one.mean for one in means]
    axes.plot(sizes, middle, color=colour, label=label, marker="o", ms=3, lw=1.4, **how)
    low, high = ([100 * value for value in ends] for ends in zip(*_ends(means), strict=True))
    axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)


def _ends(means) -> Iterator[tuple[float, float]]:
    yield from ((one.lower, one.upper) for one in means)


def _curves(handout: Experiment) -> Figure:
    """The handout's plot: accuracy by labels, one panel for each pair."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    for axes, pair in zip(figure.subplots(2, 2, sharex=True).flat, PAIRS, strict=True):
        scores = handout.scores["handout"][pair]
        for arm in handout.arms:
            means = [mean_interval(scores.mean(arm, (size,))) for size in scores.sizes]
            _band(axes, scores.sizes, means, COLOURS[arm], arm)
        axes.set_title(NAMES[pair], fontsize=10)
        _sizes(axes, scores.sizes)
    figure.axes[0].legend(frameon=False, fontsize=9)
    figure.supxlabel("samples per class in pretraining", fontsize=10)
    figure.supylabel("accuracy in %", fontsize=10)
    return figure


def _budgets(handout: Experiment) -> Figure:
    """What each augmentation brings at each length of pretraining, and with other changes."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    rows = figure.subplots(2, len(PAIRS), sharex=True, sharey="col")
    for row, arm in zip(rows, ("collage", "mixup"), strict=True):
        for axes, pair in zip(row, PAIRS, strict=True):
            for condition, colour in STEPS.items():
                scores = handout.scores[condition].get(pair)
                if scores is not None:
                    gains = [mean_interval(scores.gain(arm, (s,))) for s in scores.sizes]
                    _band(axes, scores.sizes, gains, colour, handout.budgets[condition])
                    _sizes(axes, scores.sizes)
            axes.axhline(0, color="black", lw=0.8)
            axes.tick_params(labelsize=7)
            if arm == "collage":
                axes.set_title(NAMES[pair], fontsize=10)
        row[0].set_ylabel(f"{arm} − none, points", fontsize=9)
    rows[0][0].legend(frameon=False, fontsize=7)
    figure.supxlabel("samples per class in pretraining", fontsize=10)
    return figure


def _photographs() -> Figure:
    """What each augmentation brings on photographs, a row for each length of pretraining."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    steps = settings_of(PHOTOGRAPHS[0])["pretrain_steps"]
    rows = figure.subplots(len(steps), len(PHOTOGRAPHS), sharex=True, sharey="col")
    for row, amount in zip(rows, steps, strict=True):
        for axes, name in zip(row, PHOTOGRAPHS, strict=True):
            found = answer(name, f"{amount:,} steps")
            assert found is not None
            for one in found.rows:
                gains = [point.difference for point in one.points]
                _band(axes, found.sizes, gains, COLOURS[one.augmentation], one.augmentation)
            axes.axhline(0, color="black", lw=0.8)
            axes.tick_params(labelsize=8)
            _sizes(axes, found.sizes)
            if amount == steps[0]:
                axes.set_title(name, fontsize=10)
        row[0].set_ylabel(f"points against none,\n{amount:,} steps", fontsize=9)
    handles, labels = rows[0][0].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: list(COLOURS).index(labels[k]))
    figure.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        fontsize=8,
    )
    for axes in rows[-1]:
        axes.set_xlabel("samples per class", fontsize=9)
    return figure
