"""Tuning: default and tuned means side by side, and lines on the design and what survives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from augbench.reports._tables import ARM_AND_SIZE, Column, Entry, Table, mean_entry, with_collapses
from augbench.reports.sections._section import (
    NamedFigure,
    Paragraph,
    Report,
    Section,
    of_areas,
    view_slug,
)
from augbench.reports.sections._tuning_facts import design_line, trial_counts
from augbench.reports.sections.tuning_effects import directions
from augbench.reports.sections.tuning_trials import rises
from augbench.results import Pair, StudyResult
from augbench.statistics import ALPHA, paired_difference, tuning_outcome

__all__ = ["Tuning"]

_NAMED = 6
"""Arms and sizes that a line names."""


class Tuning(Section):
    """The means of every arm at the defaults and tuned, and three lines on the tuning."""

    name = "tuning"
    of_view = False

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """The design, which verdicts survive, and where more trials would help."""
        result = report.result
        tuning = result.tuning
        if tuning is None:
            return ()
        if not tuning.complete:
            counts = trial_counts(result)
            left = counts["missing"] + counts["failed"]
            return [
                Paragraph(
                    f"Not tuned yet: {left} of {sum(counts.values())} trials have no result. What "
                    "is said here is at the defaults."
                )
            ][: pair == result.pairs[0]]
        lines = [design_line(tuning, pair)] if pair == result.pairs[0] else []
        outcomes: dict[str, list[str]] = {}
        for label, (default, tuned) in directions(report, pair).items():
            outcomes.setdefault(tuning_outcome(default, tuned), []).append(label)
        if outcomes:
            told = "; ".join(f"{words} ({', '.join(labels)})" for words, labels in outcomes.items())
            lines.append(f"Verdicts under tuning: {told}.{_changed(report, pair)}")
        rising = [f"{label} at {size}" for label, size in rises(report, pair)]
        if rising:
            more = f" and {len(rising) - _NAMED} more" if len(rising) > _NAMED else ""
            lines.append(
                "More trials may help, by samples per class: the last quarter of them still "
                f"raised the best validation accuracy for {', '.join(rising[:_NAMED])}{more}."
            )
        return [Paragraph(line) for line in lines]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each arm and size; None before trials have chosen."""
        both = at_both(report.result)
        if both is None:
            return None
        plain, tuned = both
        one, confidence, rows = report.metric, report.confidence, []
        low = [at.collapsed(pair) for at in both]
        for label in report.result.augmentations:
            for k, size in enumerate(report.result.sizes):
                means = [
                    at.intervals(pair, label, (size,), factor=one.factor, confidence=confidence)[0]
                    for at in both
                ]
                counts = [int(cells[label][:, k].sum()) for cells in low]
                change = paired_difference(
                    tuned.values(pair, label, (size,))[:, 0],
                    plain.values(pair, label, (size,))[:, 0],
                    confidence=confidence,
                )
                rows.append(
                    (
                        Entry(label, label),
                        Entry(str(size), size),
                        *(
                            with_collapses(mean_entry(mean, one.decimals_of_mean), count)
                            for mean, count in zip(means, counts, strict=True)
                        ),
                        with_collapses(report.difference(change), sum(counts) if change.n else 0),
                        Entry(str(change.n), change.n),
                    )
                )
        return Table(
            self.name,
            f"Tuning: {one.title} on {pair[1]} in {one.unit} at the defaults and "
            f"tuned{plain.view.remark}",
            (
                *ARM_AND_SIZE,
                Column("default", "default", "Mean with its t interval"),
                Column("tuned", "tuned", "The same under the settings that trials chose"),
                Column("gain", "tuned − default", "Paired by seed, with its t interval"),
                Column("n", "n", "Seeds with both cells"),
            ),
            tuple(rows),
            "On test images, which chose nothing: tuning may lose.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Default and tuned means beside each other."""
        if at_both(report.result) is not None:
            from augbench.plotting import slug
            from augbench.reports.figures.tuning import default_and_tuned

            name = "-".join(filter(None, (f"tuned-{slug(*pair)}", view_slug(report.result))))
            yield NamedFigure(
                name, default_and_tuned(report.result, pair, confidence=report.confidence)
            )


def _changed(report: Report, pair: Pair) -> str:
    """The augmentations whose difference is established to change by tuning.

    Those whose verdicts read unlike, though no change is established, are named too.
    """
    found = report.result.tuning_changes(pair, confidence=report.confidence)
    areas = of_areas(found, report.result.sizes)
    changed = [one.augmentation for one in areas if one.p_adjusted <= ALPHA]
    unlike = [
        label
        for label, (default, tuned) in directions(report, pair).items()
        if default != tuned and label not in changed
    ]
    text = f" The difference changes for {', '.join(changed)}." if changed else ""
    if unlike:
        text += f" That the difference changes is not established for {', '.join(unlike)}."
    return text


def at_both(result: StudyResult) -> tuple[StudyResult, StudyResult] | None:
    """The result at the defaults and tuned, in its reading; None before trials have chosen."""
    if result.tuning is None or not result.tuning.complete:
        return None
    plain, tuned = (result.at(view=replace(result.view, tuned=one)) for one in (False, True))
    return plain, tuned
