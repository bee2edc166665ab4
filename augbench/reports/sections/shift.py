"""Shift: accuracy on corrupted test images, and the differences there, at the largest size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from augbench.protocol.metrics import PRIMARY
from augbench.protocol.shift import SHIFT_ACCURACY
from augbench.reports._formatting import number_text, p_text
from augbench.reports._static_chart import shift_charts
from augbench.reports._tables import Column, Entry, Table, difference_entry, mean_entry
from augbench.reports._worth import multiplier_entry
from augbench.reports.sections._section import NamedFigure, Paragraph, Report, Section
from augbench.results import Pair, UnderShift
from augbench.statistics import MeanInterval, mean_interval

__all__ = ["Shift", "ShiftEffects", "ShiftMultipliers"]

_MET = "†"
_FACTOR = PRIMARY.factor


class Shift(Section):
    """Accuracy under each corruption at each strength, beside that on clean images."""

    name = "shift"
    chapter = "shift"

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """One line: the mean under shift of each arm, and how far below clean images it is."""
        found = report.result.under_shift(pair, confidence=report.confidence)
        if found is None:
            return ()
        told = []
        for label, values in found.accuracies.items():
            mean = values.mean(axis=(1, 2))  # [seeds]
            drop = np.nanmean(found.clean[label] - mean) if not np.isnan(mean).all() else np.nan
            if np.isnan(drop):
                continue
            sign = "−" if drop >= 0 else "+"
            told.append(
                f"{label} {number_text(_FACTOR * float(np.nanmean(mean)), 1)}% "
                f"({sign}{number_text(abs(_FACTOR * float(drop)), 1)})"
            )
        if not told:  # no seed has them all
            return ()
        count = len(found.kinds)
        corruptions = f"{count} corruptions" if count > 1 else f"the corruption {found.kinds[0]}"
        return [
            Paragraph(
                f"Accuracy under shift at s = {report.result.sizes[-1]}, the mean over "
                f"{corruptions} (and points from clean images): {', '.join(told)}."
            )
        ]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """A row for each corruption and strength, a column for each arm; None without shift."""
        found = report.result.under_shift(pair, confidence=report.confidence)
        if found is None:
            return None

        def entries(kind: str | None, columns: dict[str, np.ndarray]) -> Iterator[Entry]:
            for label, values in columns.items():
                mean = mean_interval(_FACTOR * values, confidence=report.confidence)
                met = any(found.met[label].values()) if kind is None else found.met[label][kind]
                yield _marked(mean_entry(mean), bool(met))

        def of_all(strengths: slice | int) -> dict[str, np.ndarray]:
            return {
                label: values[:, :, strengths].reshape(len(values), -1).mean(axis=1)
                for label, values in found.accuracies.items()
            }

        clean = [
            mean_entry(mean_interval(_FACTOR * values, confidence=report.confidence))
            for values in found.clean.values()
        ]
        rows = [(_word("clean"), Entry("·", 0), *clean)]
        rows.append((_word("all"), Entry("all", 99), *entries(None, of_all(slice(None)))))
        for k, strength in enumerate(found.strengths):
            rows.append((_word("all"), Entry(str(strength), strength), *entries(None, of_all(k))))
        for number, kind in enumerate(found.kinds):
            of_kind = {label: v[:, number, :] for label, v in found.accuracies.items()}
            means = {label: v.mean(axis=1) for label, v in of_kind.items()}
            rows.append((_word(kind), Entry("all", 99), *entries(kind, means)))
            for k, strength in enumerate(found.strengths):
                single = {label: v[:, k] for label, v in of_kind.items()}
                rows.append((_word(kind), Entry(str(strength), strength), *entries(kind, single)))
        return Table(
            self.name,
            f"Shift: test accuracy on {pair[1]} in % at s = {report.result.sizes[-1]}, by "
            "corruption of the test images",
            (
                Column("corruption", "corruption", words=True),
                Column("strength", "strength", "1 is mild, 3 strong; all: the mean over strengths"),
                *(Column(f"arm-{i}", label) for i, label in enumerate(found.accuracies)),
            ),
            tuple(rows),
            _note(found),
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Accuracy against the strength, a panel for each corruption."""
        found = report.result.under_shift(pair, confidence=report.confidence)
        if found is not None:
            from augbench.plotting import slug
            from augbench.reports.figures.shift import accuracy_by_strength

            figure = accuracy_by_strength(report.result, pair, found, report.confidence)
            yield NamedFigure(f"shift-{slug(*pair)}", figure)

    def page(self, report: Report) -> dict[str, Any] | None:
        """The same as charts that need no script; None for a study without shift."""
        charts = [
            {
                "pair": pair,
                "size": report.result.sizes[-1],
                "charts": shift_charts(report.result, pair, found, report.confidence),
            }
            for pair in report.result.pairs
            if (found := report.result.under_shift(pair, confidence=report.confidence)) is not None
        ]
        drawn = [one for one in charts if one["charts"]]
        return {"pairs": drawn} if drawn else None


class ShiftEffects(Section):
    """Paired differences from the baseline under each corruption, and what they are worth."""

    name = "shift_effects"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """A row for each augmentation and corruption; None where nothing is compared."""
        found = report.result.under_shift(pair, confidence=report.confidence)
        if found is None or not found.effects:
            return None
        rows = []
        for one in found.effects:
            met = found.met[one.augmentation]
            shared = met[one.kind] if one.kind is not None else frozenset().union(*met.values())
            rows.append(
                (
                    _word(one.augmentation),
                    _word(one.kind or "all"),
                    mean_entry(_in_percent(one.baseline)),
                    mean_entry(_in_percent(one.treated)),
                    _marked(difference_entry(one.difference, factor=_FACTOR), bool(shared)),
                    Entry(
                        p_text(one.p_adjusted)
                        if one.reachable
                        else f"out of reach (n ≥ {one.seeds_needed})",
                        one.p_adjusted,
                    ),
                    Entry(p_text(one.test.p), one.test.p),
                    Entry(str(one.difference.n), one.difference.n),
                    _word(", ".join(sorted(shared)) or "·"),
                )
            )
        return Table(
            self.name,
            f"Shift: differences from {report.result.baseline} at s = {report.result.sizes[-1]}, "
            "in accuracy points, by corruption (the mean over strengths)",
            (
                Column("augmentation", "augmentation", words=True),
                Column("corruption", "corruption", "all: the mean over all", words=True),
                Column("baseline", str(report.result.baseline), "Accuracy in %"),
                Column("treated", "with it", "Accuracy in %"),
                Column("difference", "difference", "Paired by seed, with its t interval"),
                Column("p_adjusted", "p", "Sign-flip test, corrected for all of this table"),
                Column("p", "p alone", "The same test, uncorrected", detail=True),
                Column("n", "n", "Seeds with both cells"),
                Column("met", "met in training", "Operations of the arm and of it", words=True),
            ),
            tuple(rows),
            "Exploratory: this table is a family of tests of its own, at one size. " + _note(found),
        )


class ShiftMultipliers(Section):
    """The worth of each augmentation in labels, by the mean accuracy under shift."""

    name = "shift_multipliers"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """A row for each augmentation, a column for each size; None where nothing is compared.

        None as well in a report that is about accuracy under shift, whose sizes have them.
        """
        result = report.result
        if report.metric.from_shift or result.under_shift(pair) is None:
            return None
        found = replace(report, result=replace(result, metric=SHIFT_ACCURACY)).comparisons(pair)
        if found is None:
            return None
        return Table(
            self.name,
            "Shift: label multipliers by the mean accuracy under all corruptions",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(str(size), str(size)) for size in result.sizes),
            ),
            tuple(
                (
                    _word(one.augmentation),
                    *(multiplier_entry(row, one, found) for row in one.by_size),
                )
                for one in found.comparisons
            ),
            "By pretraining samples per class: how many times more labels the baseline needs for "
            "the same accuracy under shift, with the interval; empty where no difference of that "
            "accuracy is established. `--metric shift_accuracy` makes all tables and verdicts of "
            "it.",
        )


def _in_percent(mean: MeanInterval) -> MeanInterval:
    ends = {name: _FACTOR * getattr(mean, name) for name in ("mean", "lower", "upper")}
    return replace(mean, **ends)


def _word(text: str) -> Entry:
    return Entry(text, text)


def _marked(entry: Entry, met: bool) -> Entry:
    return replace(entry, text=f"{entry.text} {_MET}") if met and entry.n else entry


def _note(found: UnderShift) -> str:
    """The meaning of the mark, where some entry has one."""
    if not any(shared for arm in found.met.values() for shared in arm.values()):
        return "No arm declares an operation that a corruption has as well."
    return (
        f"{_MET}: training has met an operation of this corruption, or of one in the mean, so that "
        "the entry tells less of shifts that were not foreseen (Mintun et al. 2021, arXiv "
        "2102.11273). Augmentations that declare no operations are never marked."
    )
