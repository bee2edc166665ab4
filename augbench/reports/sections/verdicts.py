"""Verdicts in words: does an augmentation help, where, by how much, and how sure is that."""

from __future__ import annotations

from collections.abc import Sequence

from augbench.reports.sections._section import Paragraph, Report, Section
from augbench.results import Pair

__all__ = ["Verdicts"]


class Verdicts(Section):
    """One verdict for each augmentation, then remarks on the study as a whole."""

    name = "verdicts"
    chapter = "verdict"

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """The verdicts of one pair; nothing where nothing can be compared."""
        analysis = report.analysis(pair)
        if analysis is None:
            return ()
        return [
            *(
                Paragraph(one.headline, one.sentences, one.kind, about=one.augmentation)
                for one in report.verdicts(pair)
            ),
            *(Paragraph(remark) for remark in report.result.remarks(analysis)),
        ]
