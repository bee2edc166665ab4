"""A study's results for a person at a prompt or in a notebook: a few lines, or a table and curves.

The HTML stands by itself: tables, one inline SVG a pair, no scripts, no style sheet, nothing to
load; text has the colour that the notebook's theme gives it. The template engine escapes names.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from augbench.reports._curve_sketch import curve_sketch
from augbench.reports.answer import Answer, answer_lines, answer_of, answer_table, headline_lines
from augbench.reports.sections import Report
from augbench.results import Pair, StudyResult
from augbench.statistics import Verdict
from augbench.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["StudyVerdict", "figure_of", "html_of", "text_of", "verdict_of"]

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_PAIRS = 8
_PIXELS_PER_INCH = 96
_SHARPNESS = 2
"""Pixels of the picture for each of the page, for screens that have as many."""


@dataclass(frozen=True, repr=False)
class StudyVerdict:
    """What was found on one pair of data sets.

    `answer` holds what to use where, and the differences from the baseline: printed, they are at
    most two dozen lines. `verdicts` say of every augmentation what is established, with the tests
    behind it, and `remarks` what limits that.
    """

    answer: Answer
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(answer_lines(self.answer))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return _rendered("notebook_verdict.html", verdict=self, shown_of=_of_answer(self.answer))


def verdict_of(result: StudyResult, pair: Pair, confidence: float = 0.95) -> StudyVerdict:
    """What was found on a pair."""
    report = Report(result, confidence)
    analysis = report.analysis(pair)
    return StudyVerdict(
        answer_of(result, pair, confidence=confidence),
        tuple(report.verdicts(pair)),
        result.remarks(analysis) if analysis is not None else (),
    )


def text_of(result: StudyResult) -> str:
    """The condition, what to use there, and where to go on: a few lines."""
    lines = [
        *headline_lines(answer_of(result)),
        *_state(result),
        ".verdict() says more, .plot() draws it, .to_pandas() has the numbers",
    ]
    return "\n".join(lines)


def html_of(result: StudyResult) -> str:
    """The answer and the curves of the first pairs, those beyond the first one folded."""
    first, *others = (_of_pair(result, pair) for pair in result.pairs[:_MOST_PAIRS])
    left = len(result.pairs) - _MOST_PAIRS
    return _rendered("notebook.html", first=first, others=others, left=left)


def figure_of(result: StudyResult, pair: Pair, confidence: float = 0.95) -> Figure:
    """The learning curves as a figure that a notebook shows by itself."""
    from augbench.plotting import style
    from augbench.reports.figures.curves import learning_curves

    with style():
        figure = learning_curves(result, pair, confidence=confidence)
    # IPython draws a figure of its own accord only once pyplot has been set up for it.
    figure._repr_png_ = lambda: _png(figure)  # type: ignore[attr-defined]
    return figure


def _of_pair(result: StudyResult, pair: Pair) -> dict[str, Any]:
    answer = answer_of(result, pair)
    best = [row.augmentation for row in answer.rows or answer.means]
    return {**_of_answer(answer), "sketch": curve_sketch(result, pair, best), "pair": pair}


def _of_answer(answer: Answer) -> dict[str, Any]:
    """The parts of an answer: its table, and the table of all arms where that leaves some out."""
    table, whole = answer_table(answer), answer_table(answer, whole=True)
    return {
        "answer": answer,
        "table": table,
        "whole": whole if table != whole else None,
    }


def _state(result: StudyResult) -> list[str]:
    """Lines on further pairs, and on cells that failed or are missing."""
    lines = []
    if len(result.pairs) > 1:
        lines.append(f"{len(result.pairs)} pairs of data sets: .verdict(pair) for each of .pairs")
    for cells, what in (
        (result.failed, "failed: .failed"),
        (result.missing, "not computed: .missing"),
    ):
        if cells:
            count = len({cell.key for cell in cells})
            lines.append(f"{count:,} cell{'s' * (count != 1)} {what}")
    return lines


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
