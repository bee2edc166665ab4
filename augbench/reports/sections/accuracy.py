"""Accuracy: a table of means and intervals, with floor, ceiling and the baseline's ruler."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.protocol.metrics import PRIMARY
from augbench.protocol.references import size_title, with_references
from augbench.reports._tables import Column, Entry, Table, mean_entry
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair
from augbench.statistics import MeanInterval

__all__ = ["Accuracy", "terminal_caption", "terminal_columns"]


class Accuracy(Section):
    """Mean test accuracy of each augmentation at each size."""

    name = "accuracy"

    def table(self, report: Report, pair: Pair) -> Table:
        """Mean accuracy in per cent of each augmentation at each size, with its t interval."""
        result, confidence = report.result, report.confidence
        sweep = sorted({*result.sizes, *result.ruler_sizes})
        wanted: list[int | None] = [*sweep]
        if result.stored.description["references"]:
            wanted = [*with_references(sweep)]
        rows = []
        for label in result.augmentations:
            means = result.intervals(
                pair, label, tuple(wanted), factor=PRIMARY.factor, confidence=confidence
            )
            entries = (mean_entry(mean, PRIMARY.decimals_of_mean) for mean in means)
            rows.append((Entry(label, label), *entries))
        return Table(
            self.name,
            f"{PRIMARY.title.capitalize()} on {pair[1]} in {PRIMARY.unit}, "
            f"by pretraining samples per class of {pair[0]}",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(size_title(s), size_title(s)) for s in wanted),
            ),
            tuple(rows),
            f"Mean ± half of the {100 * confidence:g} % t interval over seeds; the number of seeds "
            f"where it is not {result.seeds}.",
        )

    def terminal_table(self, report: Report, pair: Pair) -> Table:
        """The same at the sizes of the sweep alone."""
        result = report.result
        rows = []
        for label in result.augmentations:
            means = result.intervals(pair, label, confidence=report.confidence)
            entries = (Entry(_mean_and_interval(mean, result.seeds), mean.mean) for mean in means)
            rows.append((Entry(label, label), *entries))
        return Table(self.name, terminal_caption(pair), terminal_columns(result.sizes), tuple(rows))

    def closing_lines(self, report: Report) -> Sequence[str]:
        """The number of seeds and the kind of interval."""
        seeds = report.result.seeds
        if seeds == 1:
            return ("n = 1 seed: no interval",)
        return (f"n = {seeds} seeds; mean ± {100 * report.confidence:g} % t interval",)


def terminal_caption(pair: Pair) -> str:
    """The caption of a table of accuracies, while a study runs and when it has ended."""
    return f"{PRIMARY.caption}: pretrained on {pair[0]}, finetuned on {pair[1]}"


def terminal_columns(sizes: Sequence[int]) -> tuple[Column, ...]:
    """The columns of a table of accuracies: the augmentation, then a column for each size."""
    return (
        Column("augmentation", "samples per class", words=True),
        *(Column(str(size), str(size)) for size in sizes),
    )


def _mean_and_interval(mean: MeanInterval, seeds: int) -> str:
    if not mean.n:
        return "·"
    factor, decimals = PRIMARY.factor, PRIMARY.decimals_of_mean
    text = f"{factor * mean.mean:.{decimals}f}"
    if not math.isnan(mean.upper):
        text += f"\n± {factor * mean.half_width:.{decimals}f}"
    return text + (f"\n(n={mean.n})" if mean.n != seeds else "")
