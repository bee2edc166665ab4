"""Tuning and verdicts: whether each finding at the defaults survives tuning."""

from __future__ import annotations

from dataclasses import replace

from augbench.reports._tables import Column, Entry, Table, with_collapses
from augbench.reports.sections._section import Report, Section, change_entries, of_areas
from augbench.results import Pair
from augbench.statistics import direction, tuning_sentence

__all__ = ["TuningEffects", "directions"]


class TuningEffects(Section):
    """Both verdicts on each augmentation, and the test of the change between them."""

    name = "tuning-effects"
    of_view = False

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each augmentation; None before trials have chosen."""
        found = directions(report, pair)
        if not found:
            return None
        result = report.result
        changes = {
            one.augmentation: one
            for one in of_areas(
                result.tuning_changes(pair, confidence=report.confidence), result.sizes
            )
        }
        effects = []
        for own in _both(report):
            analysis = own.comparisons(pair)
            effects.append(
                {}
                if analysis is None
                else {
                    c.augmentation: with_collapses(
                        report.difference(c.difference),
                        c.collapses.baseline + c.collapses.treated,
                    )
                    for c in analysis.comparisons
                }
            )
        rows = tuple(
            (
                Entry(label, label),
                *(one.get(label, Entry("–")) for one in effects),
                *change_entries(report, changes.get(label)),
                Entry(
                    sentence := tuning_sentence(
                        label, default, tuned, changes.get(label), scale=report.scale
                    ),
                    sentence,
                ),
            )
            for label, (default, tuned) in found.items()
        )
        return Table(
            self.name,
            "Does a finding survive tuning? ΔAULC at the defaults and tuned, baseline and all, in "
            f"{report.scale.long_unit}{result.view.untuned.remark}",
            (
                Column("augmentation", "augmentation", words=True),
                Column("default", "default", "Of the area under the curve, paired by seed"),
                Column("tuned", "tuned", "The same, both arms tuned"),
                Column("change", "change", "Tuned minus default, paired by seed"),
                Column("p_change", "p", "Sign flips, corrected for all changes by tuning"),
                Column("words", "in words", words=True),
            ),
            rows,
            "The change is exploratory. Two verdicts that read unlike do not show that tuning "
            "matters; the change does.",
        )


def directions(report: Report, pair: Pair) -> dict[str, tuple[int, int]]:
    """For each augmentation, the established direction at the defaults and tuned.

    Empty before trials have chosen, or where nothing is compared; without augmentations that one of
    both lacks the results of.
    """
    result = report.result
    if result.tuning is None or not result.tuning.complete or report.comparisons(pair) is None:
        return {}
    plain, tuned = (own.analysis(pair) for own in _both(report))
    known = [
        {one.augmentation for one in analysis.comparisons if one.n} if analysis else set()
        for analysis in (plain, tuned)
    ]
    return {
        label: (direction(plain, label), direction(tuned, label))
        for label in result.augmentations
        if label in known[0] & known[1]
    }


def _both(report: Report) -> list[Report]:
    view = report.result.view
    return [
        replace(report, result=report.result.at(view=replace(view, tuned=one)))
        for one in (False, True)
    ]
