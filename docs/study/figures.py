"""The figures of the study, drawn from its stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from claims import ARMS
from experiment import CONDITIONS, LENGTHS, TRAINED_SHORT, Experiment
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from stores import HERE, NAMES, PAIRS, PHOTOGRAPHS, answer, settings_of

from augbench.plotting import log2_axis
from augbench.reports.figures._looks import Look
from augbench.reports.figures.curves import band
from augbench.statistics import MeanInterval, mean_interval

COLOURS = {  # Okabe and Ito's, which colour-blind readers tell apart
    "none": "#000000",
    "collage": "#D55E00",
    "mixup": "#0072B2",
    "cutmix": "#CC79A7",
    "trivialaugment": "#009E73",
    "randaugment": "#E69F00",
    "random-erasing": "#56B4E9",
}
STEPS = dict(zip(LENGTHS, ("#fdae6b", "#9ecae1", "#4292c6", "#08519c", "#08306b"), strict=True))
DIFFERENCES = {
    "helps-collage": "few labels,\ncollage − none",
    "helps-mixup": "few labels,\nmixup − none",
    "collage-small": "few labels,\ncollage − mixup",
    "large-collage": "many labels,\ncollage − none",
    "large-mixup": "many labels,\nmixup − none",
}


def draw() -> Iterator[Path]:
    """Draw every figure into the folder `figures`; yields their paths."""
    handout = Experiment()
    (HERE / "figures").mkdir(exist_ok=True)
    for name, figure in (
        ("handout", _curves(handout)),
        ("conditions", _conditions(handout)),
        ("budgets", _budgets(handout)),
        ("photographs", _photographs()),
    ):
        path = HERE / "figures" / f"{name}.png"
        figure.savefig(path, dpi=150)
        yield path


def _draw(axes: Axes, sizes: tuple[int, ...], means: Sequence[MeanInterval], colour: str) -> Artist:
    """Draw means with their intervals, of shares that the axis shows in per cent or points."""
    log2_axis(axes, sizes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=None))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return band(axes, sizes, means, Look(colour, "o", "-", 0.15))


def _curves(handout: Experiment) -> Figure:
    """The handout's plot: accuracy by labels, one panel for each pair."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    for axes, pair in zip(figure.subplots(2, 2, sharex=True).flat, PAIRS, strict=True):
        scores = handout.scores["handout"][pair]
        for arm in ARMS:
            means = [mean_interval(scores.mean(arm, (size,))) for size in scores.sizes]
            _draw(axes, scores.sizes, means, COLOURS[arm]).set_label(arm)
        axes.set_title(NAMES[pair], fontsize=10)
    figure.axes[0].legend(frameon=False, fontsize=9)
    figure.supxlabel("samples per class in pretraining", fontsize=10)
    figure.supylabel("accuracy in %", fontsize=10)
    return figure


def _conditions(handout: Experiment) -> Figure:
    """Five of the claims' differences, one panel for each and for each pair.

    Short trainings are left out: beside their differences, all others would be one point.
    """
    figure = Figure(figsize=(8, 8.5), layout="constrained")
    rows = figure.subplots(len(DIFFERENCES), len(PAIRS), sharey=True, sharex="row")
    names = [name for name in handout.shared if name not in TRAINED_SHORT]
    for row, (key, words) in zip(rows, DIFFERENCES.items(), strict=True):
        for axes, pair in zip(row, PAIRS, strict=True):
            for place, name in enumerate(names):
                found = handout.found_in[name][key].get(pair)
                if found is None:
                    continue
                one, colour = found.difference, "#555555" if name == "handout" else "#0072B2"
                axes.plot((one.lower, one.upper), (place, place), color=colour, lw=1.5)
                axes.plot(one.mean, place, "o", color=colour, ms=4)
            axes.axvline(0, color="black", lw=0.8)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=None))
            axes.tick_params(labelsize=7)
            axes.grid(axis="x", alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if key == next(iter(DIFFERENCES)):
                axes.set_title(NAMES[pair], fontsize=10)
        row[0].set_ylabel(words, fontsize=8)
    rows[0][0].set_yticks(range(len(names)), [CONDITIONS[name] for name in names])
    rows[0][0].invert_yaxis()
    figure.supxlabel("points of accuracy", fontsize=9)
    return figure


def _budgets(handout: Experiment) -> Figure:
    """The gains of collage and mixup at each length of pretraining."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    rows = figure.subplots(2, len(PAIRS), sharex=True, sharey="row")
    for row, arm in zip(rows, ARMS[1:], strict=True):
        for axes, pair in zip(row, PAIRS, strict=True):
            for name, colour in STEPS.items():
                scores = handout.shared.get(name, {}).get(pair)
                if scores is not None:
                    gains = [mean_interval(scores.gain(arm, (s,))) for s in scores.sizes]
                    _draw(axes, scores.sizes, gains, colour).set_label(handout.budgets[name])
            axes.axhline(0, color="black", lw=0.8)
            axes.tick_params(labelsize=7)
            if arm == ARMS[1]:
                axes.set_title(NAMES[pair], fontsize=10)
        row[0].set_ylabel(f"{arm} − none, points", fontsize=9)
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        fontsize=8,
        title="samples per class in pretraining, by length of pretraining",
        title_fontsize=9,
    )
    return figure


def _photographs() -> Figure:
    """The gains on photographs, a row for each length of pretraining."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    steps = settings_of(PHOTOGRAPHS[0])["pretrain_steps"]
    rows = figure.subplots(len(steps), len(PHOTOGRAPHS), sharex=True, sharey="col")
    for row, amount in zip(rows, steps, strict=True):
        for axes, name in zip(row, PHOTOGRAPHS, strict=True):
            found = answer(name, f"{amount:,} steps")
            assert found is not None
            for one in found.rows:
                gains = [point.difference for point in one.points]
                _draw(axes, found.sizes, gains, COLOURS[one.augmentation]).set_label(
                    one.augmentation
                )
            axes.axhline(0, color="black", lw=0.8)
            axes.tick_params(labelsize=8)
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
