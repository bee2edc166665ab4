"""Readouts: the verdict by each of them, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from augbench.reports._formatting import p_text
from augbench.reports._tables import Column, Entry, Table, with_collapses
from augbench.reports.sections._section import Paragraph, Report, Section, change_entries, of_areas
from augbench.results import Pair, View
from augbench.statistics import direction, readouts_line

__all__ = ["Readouts"]


_AGREE = "The readouts agree on what is established on average over the sizes."


class Readouts(Section):
    """Every readout, on each number of finetuning images: verdicts, and changes between them.

    They are tuned as the report's view is, or not.
    """

    name = "readouts"
    of_view = False

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """A line for each augmentation on which readouts disagree; one line where none does."""
        result = report.result
        if len(result.readings) < 2 or report.comparisons(pair) is None:
            return ()
        analyses = {one.reading: _at(report, one).analysis(pair) for one in result.readings}
        found = result.readout_changes(pair, confidence=report.confidence)
        lines = [
            readouts_line(
                label,
                {name: direction(one, label) for name, one in analyses.items()},
                of_areas(found, result.sizes),
                scale=report.scale,
            )
            for label in result.augmentations
            if label != result.baseline
        ]
        names = ", ".join(one.reading for one in result.readings[1:])
        about = f"These verdicts are by the readout {result.view.label}, beside others: {names}."
        told = [Paragraph(line) for line in lines if line]
        return [Paragraph(about), *(told or [Paragraph(_AGREE)])]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each augmentation and readout; None where there is but one readout."""
        result = report.result
        if len(result.readings) < 2:
            return None
        changes = {
            (one.augmentation, one.first): one
            for one in of_areas(
                result.readout_changes(pair, confidence=report.confidence), result.sizes
            )
        }
        rows = []
        for number, view in enumerate(result.readings):
            own = _at(report, view)
            analysis = own.comparisons(pair)
            kinds = {one.augmentation: one.kind for one in own.verdicts(pair)}
            for c in analysis.comparisons if analysis is not None else ():
                low = c.collapses.baseline + c.collapses.treated
                rows.append(
                    (
                        Entry(c.augmentation, c.augmentation),
                        Entry(view.reading, number),
                        Entry(kinds[c.augmentation], kinds[c.augmentation]),
                        with_collapses(report.difference(c.difference), low),
                        Entry(p_text(c.p_adjusted), c.p_adjusted),
                        *change_entries(report, changes.get((c.augmentation, view.reading))),
                        Entry(str(c.n), c.n),
                    )
                )
        if not rows:
            return None
        order = result.augmentations
        rows.sort(key=lambda row: order.index(str(row[0].value)))
        tuned = ", all tuned" if result.view.tuned else ""
        return Table(
            self.name,
            f"Readouts: the verdict by each{tuned}; ΔAULC in {report.scale.long_unit}",
            (
                Column("augmentation", "augmentation", words=True),
                Column("readout", "readout", "What judges the backbone", words=True),
                Column("kind", "verdict", words=True),
                Column("difference", "difference", "Of the area under the curve, paired by seed"),
                Column("p_adjusted", "p", "Corrected within this readout"),
                Column(
                    "change", f"to {result.view.reading}", "The difference there minus this one"
                ),
                Column("p_change", "p of that", "Sign flips, corrected for all these changes"),
                Column("n", "n", "Seeds with both whole curves"),
            ),
            tuple(rows),
            "That one readout establishes a difference and another does not is no proof that they "
            "differ; the change is. It is exploratory.",
        )


def _at(report: Report, view: View) -> Report:
    return replace(report, result=report.result.at(view=view))
