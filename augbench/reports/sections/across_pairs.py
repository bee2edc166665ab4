"""Effects over all pairs of data sets together."""

from __future__ import annotations

from augbench.reports._formatting import p_text
from augbench.reports._tables import Column, Entry, Table, with_collapses
from augbench.reports.sections._section import Report, Section
from augbench.statistics import across_datasets, aulc

__all__ = ["AcrossPairs"]


class AcrossPairs(Section):
    """The difference of areas of each pair, and its mean over pairs."""

    name = "across-pairs"
    chapter = "verdict"

    def study_table(self, report: Report) -> Table | None:
        """Over all pairs of data sets, of which each counts once; None for a single pair."""
        result, confidence = report.result, report.confidence
        baseline = result.baseline
        if baseline is None or len(result.pairs) < 2:
            return None
        effects = {
            label: {
                f"{pair[0]} → {pair[1]}": aulc(result.values(pair, label), result.sizes)
                - aulc(result.values(pair, baseline), result.sizes)
                for pair in result.pairs
            }
            for label in result.augmentations
            if label != baseline
        }
        if not effects:
            return None
        low = [result.collapsed(pair) for pair in result.pairs]
        collapsed = {
            (label, k): int(one[label].sum() + one[baseline].sum())
            for k, one in enumerate(low)
            for label in effects
        }
        found = across_datasets(effects, confidence=confidence)
        rows = tuple(
            (
                Entry(row.augmentation, row.augmentation),
                *(
                    with_collapses(report.difference(one.effect), collapsed[row.augmentation, k])
                    for k, one in enumerate(row.effects)
                ),
                report.difference(row.overall),
                Entry(p_text(row.p_holm), row.p_holm),
            )
            for row in found
        )
        refusals = sorted({row.refusal for row in found if row.refusal})
        return Table(
            self.name,
            f"Over all pairs of data sets: ΔAULC in {report.scale.long_unit}",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(f"pair-{i}", f"{a} → {b}") for i, (a, b) in enumerate(result.pairs)),
                Column(
                    "overall", "mean over pairs", "The unit is the pair: seeds are averaged first"
                ),
                Column("p_holm", "p (Holm)", "Exact Wilcoxon over pairs"),
            ),
            rows,
            f"{refusals[0]}." if refusals else "",
        )
