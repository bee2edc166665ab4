"""Means: a table of accuracy, or of the study's metric, with floor, ceiling and ruler."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.protocol.metrics import PRIMARY, Metric
from augbench.protocol.references import size_name, size_title, with_references
from augbench.reports._formatting import capital, number_text
from augbench.reports._tables import Column, Entry, Table, mean_entry, with_collapses
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair, View
from augbench.statistics import MeanInterval

_COLLAPSED = "✗"
_USUAL = View()
_NAMED = 8
"""Collapsed cells that the terminal names."""

__all__ = ["Accuracy", "terminal_caption", "terminal_columns"]


class Accuracy(Section):
    """The mean of the study's metric, by default test accuracy, at each size."""

    name = "accuracy"

    def table(self, report: Report, pair: Pair) -> Table:
        """The mean of each augmentation at each size, with its t interval."""
        result, confidence, one = report.result, report.confidence, report.metric
        sweep = sorted({*result.sizes, *result.ruler_sizes})
        wanted: list[int | None] = [*sweep]
        if result.stored.description["references"]:
            wanted = [*with_references(sweep)]
        rows, low = [], result.collapsed(pair, tuple(wanted))
        for label in result.augmentations:
            means = result.intervals(
                pair, label, tuple(wanted), factor=one.factor, confidence=confidence
            )
            entries = (
                with_collapses(mean_entry(mean, one.decimals_of_mean), cells)
                for mean, cells in zip(means, low[label].sum(axis=0).tolist(), strict=True)
            )
            rows.append((Entry(label, label), *entries))
        return Table(
            self.name,
            f"{capital(one.title)} on {pair[1]} in {one.unit}{_lower(one)}, "
            f"by pretraining samples per class of {pair[0]}",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(size_title(s), size_title(s)) for s in wanted),
            ),
            tuple(rows),
            f"Mean ± half of the {100 * confidence:g} % t interval over seeds; the number of seeds "
            f"where it is not {result.seeds}.{_guessing(report, pair)}",
        )

    def terminal_table(self, report: Report, pair: Pair) -> Table:
        """The same at the sizes of the sweep alone."""
        result = report.result
        rows, low = [], result.collapsed(pair)
        for label in result.augmentations:
            means = result.intervals(pair, label, confidence=report.confidence)
            entries = (
                Entry(_mean_and_interval(mean, result.seeds, cells, report.metric), mean.mean)
                for mean, cells in zip(means, low[label].sum(axis=0).tolist(), strict=True)
            )
            rows.append((Entry(label, label), *entries))
        caption = terminal_caption(pair, report.metric, result.view)
        return Table(self.name, caption, terminal_columns(result.sizes), tuple(rows))

    def closing_lines(self, report: Report) -> Sequence[str]:
        """The number of seeds and the kind of interval."""
        result, lines = report.result, []
        if result.seeds == 1:
            lines.append("n = 1 seed: no interval")
        else:
            interval = f"{100 * report.confidence:g} % t interval"
            lines.append(f"n = {result.seeds} seeds; mean ± {interval}")
        cells = [
            f"{cell.augmentation} {size_name(cell.samples_per_class)} seed {cell.seed}"
            if len(result.pairs) == 1
            else cell.place
            for cell in result.collapsed_cells
        ]
        if cells:
            more = f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
            lines.append(
                f"{_COLLAPSED}: cells that collapsed, near chance where others learn, which a mean "
                f"and its interval hide: {', '.join(cells[:_NAMED])}{more}"
            )
        return lines


def terminal_caption(pair: Pair, one: Metric = PRIMARY, view: View = _USUAL) -> str:
    """The caption of a table of means, while a study runs and when it has ended."""
    return f"{one.caption}{_lower(one)}: {view.place(pair)}"


def terminal_columns(sizes: Sequence[int]) -> tuple[Column, ...]:
    """The columns of a table of accuracies: the augmentation, then a column for each size."""
    return (
        Column("augmentation", "samples per class", words=True),
        *(Column(str(size), str(size)) for size in sizes),
    )


def _lower(one: Metric) -> str:
    return " (lower is better)" if one.better == "lower" else ""


def _guessing(report: Report, pair: Pair) -> str:
    """A sentence on the score of guessing, and on that of the largest class where it is higher."""
    result, one = report.result, report.metric
    score = result.guessing(pair)
    if math.isnan(score):
        return ""
    text = f" Guessing gives {number_text(one.factor * score, one.decimals_of_mean)}"
    balance = result.balance(pair)
    if one is PRIMARY and balance is not None and balance.unequal:
        text += f", answering the largest class always {100 * balance.majority:.1f}"
    return f"{text}."


def _mean_and_interval(mean: MeanInterval, seeds: int, collapsed: int, one: Metric) -> str:
    if not mean.n:
        return "·"
    factor, decimals = one.factor, one.decimals_of_mean
    text = f"{factor * mean.mean:.{decimals}f}"
    if mean.n > 1 and mean.half_width == 0:
        text += "\n(equal)"  # all seeds: no interval of width 0 is claimed
    elif not math.isnan(mean.upper):
        text += f"\n± {factor * mean.half_width:.{decimals}f}"
    text += f"\n(n={mean.n})" if mean.n != seeds else ""
    return text + (f"\n{_COLLAPSED}{collapsed}" if collapsed else "")
