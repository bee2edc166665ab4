"""A study's results for a person at a prompt or in a notebook: a few lines, or a table and curves.

The HTML stands by itself: one table, one inline SVG, no scripts, no style sheet, nothing to load;
text has the colour that the notebook's theme gives it. Names are escaped by the template engine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from augbench.reports._curve_sketch import curve_sketch
from augbench.reports.sections import Report
from augbench.reports.sections.accuracy import Accuracy
from augbench.results import Pair, StudyResult
from augbench.statistics import Verdict, best_line
from augbench.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["StudyVerdict", "figure_of", "html_of", "text_of", "verdict_of"]

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_LINES = 4
"""Sentences of the answer that a result prints of itself."""
_MOST_PAIRS = 8
_PIXELS_PER_INCH = 96
_SHARPNESS = 2
"""Pixels of the picture for each of the page, for screens that have as many."""


@dataclass(frozen=True, repr=False)
class StudyVerdict:
    """What was found on one pair of data sets: the answer, and a verdict on each augmentation.

    `str` of it is a few lines; `verdicts` hold the numbers' sentences, `remarks` what limits them.
    """

    pair: Pair
    answer: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        headlines = [f"• {one.headline}" for one in self.verdicts]
        return "\n".join(map(shown, [_arrow(self.pair), *self.answer, *headlines]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return _rendered("notebook_verdict.html", verdict=self, title=_arrow(self.pair))


def verdict_of(result: StudyResult, pair: Pair, confidence: float = 0.95) -> StudyVerdict:
    """The answer for one pair, with a verdict on each augmentation."""
    report = Report(result, confidence)
    analysis = report.analysis(pair)
    return StudyVerdict(
        pair,
        _answer(report, pair),
        tuple(report.verdicts(pair)),
        result.remarks(analysis) if analysis is not None else (),
    )


def text_of(result: StudyResult) -> str:
    """The study, its answer on the first pair, and where to go on: a few lines."""
    report, pair = Report(result), result.pairs[0]
    return "\n".join(
        map(
            shown,
            [
                _title(result, pair),
                *_cut(_answer(report, pair)),
                *_state(result),
                ".verdict() says more, .plot() draws it, .to_pandas() has the numbers",
            ],
        )
    )


def html_of(result: StudyResult) -> str:
    """The same as HTML, with the summary table and the curves of the first pairs."""
    report = Report(result)
    return _rendered(
        "notebook.html",
        pairs=[_of_pair(report, pair) for pair in result.pairs[:_MOST_PAIRS]],
        left=len(result.pairs) - _MOST_PAIRS,
        state=_state(result),
    )


def figure_of(result: StudyResult, pair: Pair, confidence: float = 0.95) -> Figure:
    """The learning curves as a figure that a notebook shows by itself."""
    from augbench.plotting import style
    from augbench.reports.figures.curves import learning_curves

    with style():
        figure = learning_curves(result, pair, confidence=confidence)
    # IPython draws a figure of its own accord only once pyplot has been set up for it.
    figure._repr_png_ = lambda: _png(figure)  # type: ignore[attr-defined]
    return figure


def _answer(report: Report, pair: Pair) -> tuple[str, ...]:
    """The sentences that answer the study's question for one pair."""
    result = report.result
    found = result.best_arms(pair, confidence=report.confidence)
    if found is not None and result.unlearnt(pair, confidence=report.confidence) is None:
        return (best_line(found, baseline=result.baseline),)
    if verdicts := report.verdicts(pair):
        return tuple(one.headline for one in verdicts[:1])
    return ("Nothing can be compared yet.",)


def _of_pair(report: Report, pair: Pair) -> dict[str, Any]:
    return {
        "title": _title(report.result, pair),
        "answer": _answer(report, pair),
        "table": Accuracy().terminal_table(report, pair),
        "sketch": curve_sketch(report.result, pair, report.confidence),
        "pair": pair,
    }


def _title(result: StudyResult, pair: Pair) -> str:
    budget = result.budget if len(result.budgets) > 1 else ""
    seeds = f"{result.seeds} seed{'s' * (result.seeds != 1)}"
    parts = [_arrow(pair), result.primary.short, budget, result.view.words, seeds]
    return " · ".join(filter(None, parts))


def _arrow(pair: Pair) -> str:
    return f"{pair[0]} → {pair[1]}"


def _state(result: StudyResult) -> list[str]:
    """Lines on further pairs, and on cells that failed or are missing."""
    lines = []
    if len(result.pairs) > 1:
        lines.append(f"{len(result.pairs)} pairs of data sets: .verdict(pair) for each of .pairs")
    for word, cells in (("failed", result.failed), ("missing", result.missing)):
        if cells:
            count = len({cell.key for cell in cells})
            what = "failed" if word == "failed" else "not computed yet"
            lines.append(f"{count:,} cell{'s' * (count != 1)} {what}: .{word}")
    return lines


def _cut(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [*lines[: _MOST_LINES - 1], f"and {len(lines) - _MOST_LINES + 1} more sentences"]


def _png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """The picture, and its width on the page in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from augbench.plotting import style

    drawn, dpi = io.BytesIO(), figure.dpi
    try:
        figure.dpi = _SHARPNESS * _PIXELS_PER_INCH
        with style():
            print_png: Any = FigureCanvasAgg(figure).print_png  # matplotlib does not annotate it
            print_png(drawn)
    finally:
        figure.dpi = dpi
    return drawn.getvalue(), {"width": round(figure.get_figwidth() * _PIXELS_PER_INCH)}


def _rendered(template: str, **values: Any) -> str:
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    engine.filters["shown"] = shown
    return engine.get_template(template).render(**values)
