"""Sizes: differences, label multipliers and shares of the gap at each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from augbench.protocol.metrics import PRIMARY
from augbench.reports._formatting import interval_text, number_text, p_text
from augbench.reports._tables import Column, Entry, Table, with_collapses
from augbench.reports._worth import multiplier_entry
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Comparison, SizeComparison, two_way_interval, unpack

__all__ = ["Sizes"]

_LABELS = (
    " Labels are told only where the difference is established; elsewhere the cell is empty. With "
    "> or < they lie off the measured sizes: censored, never extrapolated."
)


class Sizes(Section):
    """Paired differences from the baseline at each size."""

    name = "sizes"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each augmentation and size."""
        analysis = report.comparisons(pair)
        if analysis is None:
            return None
        # An image is right or wrong: of other metrics than accuracy, no image has a share.
        by_image = report.metric is PRIMARY
        labels = not report.metric.no_multipliers
        beyond = _for_new_images(report.result, pair, analysis) if by_image else None
        with_gap = analysis.references.ceiling is not None
        rows = [
            (
                Entry(c.augmentation, c.augmentation),
                Entry(str(row.size), row.size),
                with_collapses(report.difference(row.difference), _collapsed(c, row.size)),
                *(replace(new, text=new.text or "–") for new in news),
                Entry(p_text(row.p_within), row.p_within),
                Entry(p_text(row.p_adjusted), row.p_adjusted),
                *([multiplier_entry(row, c, analysis)] if labels else []),
                *([_gap(row)] if with_gap else []),
                Entry(number_text(row.pairing.correlation, 2), row.pairing.correlation),
                Entry(number_text(row.pairing.variance_ratio, 2), row.pairing.variance_ratio),
                Entry(str(row.difference.n), row.difference.n),
            )
            for i, c in enumerate(analysis.comparisons)
            for k, row in enumerate(c.by_size)
            for news in [[] if beyond is None else [beyond[i][k]]]
        ]
        new_images = Column(
            "beyond", "new images too", "Interval for new seeds and new test images", detail=True
        )
        multiplier = Column(
            "multiplier",
            "labels",
            "Times as many labels that buy the same without it",
        )
        gap = Column("gap", "of the gap", "Share of the gap to all labels that it closes, Fieller")
        return Table(
            self.name,
            f"Where it helps: paired differences at each size, in {report.scale.long_unit}"
            + (" (lower is better)" if report.scale.lower_is_better else ""),
            (
                Column("augmentation", "augmentation", words=True),
                Column("size", "s", "Pretraining samples per class"),
                Column("difference", "difference", "Paired by seed, with its t interval"),
                *([new_images] if by_image else []),
                Column(
                    "p_within",
                    "p (sizes)",
                    "Corrected for the sizes of one augmentation",
                    detail=True,
                ),
                Column("p_adjusted", "p", "Corrected for all augmentations, sizes and areas"),
                *([multiplier] if labels else []),
                *([gap] if with_gap else []),
                Column("correlation", "r", "Correlation of the two arms over seeds", detail=True),
                Column(
                    "variance_ratio", "Var δ ratio", "Below 1, pairing by seed helped", detail=True
                ),
                Column("n", "n", "Seeds with both cells"),
            ),
            tuple(rows),
            "Intervals are pointwise and uncorrected; the p-values decide."
            + (_LABELS if labels else ""),
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """The differences over the sizes."""
        analysis = report.comparisons(pair)
        if analysis is not None:
            from augbench.plotting import slug
            from augbench.reports.figures.differences import paired_differences

            figure = paired_differences(report.result, pair, analysis)
            yield NamedFigure(f"differences-{slug(*pair)}", figure)


def _collapsed(c: Comparison, size: int) -> int:
    """The collapsed cells of both arms at a size."""
    return sum(at == size for at, _ in (*c.collapses.treated_at, *c.collapses.baseline_at))


def _for_new_images(result: StudyResult, pair: Pair, analysis: Analysis) -> list[list[Entry]]:
    """For each comparison and size, the interval that holds for new test images as well."""
    images = int(result.stored.description["datasets"][pair[1]]["test_size"])
    return [
        [
            _two_way(
                result, pair, (comparison.augmentation, analysis.baseline), size, images, analysis
            )
            for size in analysis.sizes
        ]
        for comparison in analysis.comparisons
    ]


def _two_way(
    result: StudyResult,
    pair: Pair,
    arms: tuple[str, str],
    size: int,
    images: int,
    analysis: Analysis,
) -> Entry:
    bits: tuple[list[bytes], list[bytes]] = ([], [])
    for seed in range(result.seeds):
        cells = [result.cell(pair, label, size, seed) for label in arms]
        packed = [cell.result.correct for cell in cells if cell and cell.result]
        if len(packed) == 2 and all(len(one) == -(-images // 8) for one in packed):
            for kept, one in zip(bits, packed, strict=True):
                kept.append(one)
    if len(bits[0]) < 2:
        return Entry("–")
    treated, plain = (np.stack([unpack(one, images) for one in arm]) for arm in bits)  # [n, N]
    both = two_way_interval(treated, plain, confidence=analysis.confidence)
    low, high = 100 * both.lower, 100 * both.upper
    text = interval_text(low, high, 2 if high - low < 1 else 1, sign=True)
    return Entry(text, 100 * both.difference, low, high, both.seeds)


def _gap(row: SizeComparison) -> Entry:
    gap = row.gap_closed
    if gap is None or math.isnan(gap.share):
        return Entry("–")
    text = f"{number_text(100 * gap.share, 0)} %"
    if math.isfinite(gap.lower):
        text += f" ({interval_text(100 * gap.lower, 100 * gap.upper, 0)})"
    elif gap.n > 1:
        text = "no bounds"
    if gap.n != row.difference.n:
        text += f" (n = {gap.n})"
    return Entry(text, 100 * gap.share, 100 * gap.lower, 100 * gap.upper, gap.n)
