"""Choices of tuning: the value of every tuned parameter, for each arm and size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from augbench.protocol.metrics import PRIMARY
from augbench.protocol.readouts import OWN_HEAD
from augbench.reports._tables import ARM_AND_SIZE, Column, Entry, Table
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair, StudyResult, View
from augbench.results import Tuning as StudyTuning
from augbench.tuning.spaces import Dimension

__all__ = ["TuningChoices"]

_END = 0.1
"""The share of a range that is its end."""
_MARK = "‡"


class TuningChoices(Section):
    """The chosen values, beside the defaults and the ranges that were searched."""

    name = "tuning-choices"
    of_view = False

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each readout, arm, size and parameter; None before trials have chosen."""
        result = report.result
        if result.tuning is None or not result.tuning.complete:
            return None
        views = [view for view in result.views if view.tuned]
        rows = []
        for number, view in enumerate(views):
            readout = [Entry(view.reading, number)] if len(views) > 1 else []
            for row in _rows(result.about(PRIMARY.name).at(view=view), pair):
                rows.append((*row[:2], *readout, *row[2:]))
        budget = f", {result.budget} of pretraining" if len(result.budgets) > 1 else ""
        return Table(
            self.name,
            f"Chosen values of tuned parameters{budget}",
            (
                *ARM_AND_SIZE,
                *([Column("readout", "readout", words=True)] * (len(views) > 1)),
                Column("parameter", "parameter", words=True),
                Column("chosen", "chosen", f"{_MARK}: at an end of its range"),
                Column("default", "default", "The first trial"),
                Column("range", "range", "Searched, at the defaults of the others first"),
            ),
            tuple(rows),
            f"{_MARK}: the lowest or highest value that was tried, or in the outer tenth of its "
            "range: a wider range or more trials may hold a better one."
            + (" Where seeds chose unlike, median and range over seeds." * result.tuning.within)
            + _borrowed(views, result.sizes),
        )


def _borrowed(views: Sequence[View], sizes: Sequence[int]) -> str:
    borrows = 1 in sizes and any(view.readout == OWN_HEAD.name for view in views)
    return " At s = 1 the pretraining head has the choice of the next size." if borrows else ""


def _rows(result: StudyResult, pair: Pair) -> Iterator[tuple[Entry, ...]]:
    tuning = result.tuning
    assert tuning is not None
    for label, size in tuning.places():
        trials = tuning.chosen(pair, label, size)
        for one in tuning.spaces(label):
            default = tuning.default(label, one.name)
            known = not math.isnan(default)
            yield (
                Entry(label, label),
                Entry(str(size), size),
                Entry(one.label, one.label),
                _chosen(tuning, label, one, trials),
                Entry(f"{default:g}", default) if known else Entry("–"),
                Entry(one.range, one.low),
            )


def _chosen(tuning: StudyTuning, label: str, one: Dimension, trials: Sequence[int]) -> Entry:
    """The value that was chosen; of several seeds' own choices, median and range."""
    if not trials:
        return Entry("·")
    default, tried = tuning.default(label, one.name), tuning.values(label)
    values = [tried[trial].get(one.name, default) for trial in trials]
    known = [one.position(other.get(one.name, default)) for other in tried]
    ends = [
        trial for trial in trials if trial and _at_end(one.position(tried[trial][one.name]), known)
    ]
    first = sum(trial == 0 for trial in trials)
    middle = float(np.median(values))
    if first == len(trials):
        return Entry("default", middle)
    if len(set(values)) == 1:
        return Entry(f"{middle:g}{f' {_MARK}' if ends else ''}", middle)
    marks = f" ({_MARK} {len(ends)} of {len(trials)})" if ends else ""
    defaults = f", default {first} of {len(trials)}" if first else ""
    text = f"{middle:.4g} ({min(values):g} to {max(values):g}{defaults}){marks}"
    return Entry(text, middle, min(values), max(values), len(trials))


def _at_end(place: float, tried: Sequence[float]) -> bool:
    """True for a place near 0 or 1, or beside which nothing was tried on one side."""
    known = [one for one in tried if not math.isnan(one)]
    return place <= max(_END, min(known)) or place >= min(1 - _END, max(known))
