"""The answer as plain text, for a width and a number of arms."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from augbench.reports._formatting import number_text, p_text, signed_text
from augbench.reports.answer._answer import Answer, Means, Point, Row
from augbench.statistics import MeanInterval
from augbench.text import cut, shown

__all__ = ["AnswerTable", "answer_lines", "answer_table", "headline_lines"]

_COLLAPSED = "✗"
_MOST_ROWS = 8
"""Arms that the table shows; of more, the undecided ones, then the middle, stand in a line."""
_FEWEST_ROWS = 2
_MOST_TABLE = 12
"""Lines of a table that the width breaks into several blocks: it then shows fewer arms."""
_MOST_CONDITIONS = 3
_MOST_CAUTIONS = 3
_LONGEST_NAME = 24


@dataclass(frozen=True)
class AnswerTable:
    """The texts of the answer's table: what its columns are, the baseline, the arms; and notes.

    A text that ends in a space leaves room for the mark that others of its column have.
    Names from outside are made safe for people, as is all of `answer_lines`; for HTML they are not.
    """

    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def answer_lines(answer: Answer, *, width: int = 100) -> list[str]:
    """Write an answer in lines of at most `width` columns; names from outside are made safe."""
    lines = headline_lines(answer, width=width)
    if answer.means:
        most = _MOST_ROWS
        while True:
            rows, folded = _kept(answer.rows, most)
            table = list(_table(answer, rows, width))
            if len(table) <= _MOST_TABLE or most <= _FEWEST_ROWS:
                break
            most -= 2
        lines += ["", *table]
        if legend := _legend(answer, rows):
            lines += _wrapped(legend, width)
        lines += [_one_line(line, width) for line in folded]
    lines += [
        _one_line(f"elsewhere (exploratory): {line}", width)
        for line in _first(answer.disagreements, _MOST_CONDITIONS)
    ]
    for line in _first(answer.cautions, _MOST_CAUTIONS):
        lines += _wrapped(f"note: {line}", width)
    return lines


def _first(lines: Sequence[str], most: int) -> Sequence[str]:
    """At most so many lines; the last one then counts the rest."""
    return lines if len(lines) <= most else (*lines[: most - 1], f"{len(lines) - most + 1} more")


def headline_lines(answer: Answer, *, width: int = 100) -> list[str]:
    """The first lines of the answer: the condition, and what to use."""
    return [*_wrapped(answer.setting, width), *_wrapped(answer.headline, width)]


def answer_table(answer: Answer, *, whole: bool = False) -> AnswerTable | None:
    """The table for a place that lays it out; of all arms if `whole`; None without results."""
    if not answer.means:
        return None
    rows, folded = (list(answer.rows), []) if whole else _kept(answer.rows, _MOST_ROWS)
    names = _names(answer, answer.means, rows, short=False)
    ends = _ends(answer, answer.means, rows, short=False)
    columns = [names, *_sizes(answer, answer.means, rows), *ends]
    notes = filter(None, [_legend(answer, rows), *folded])
    return AnswerTable(tuple(zip(*columns, strict=True)), tuple(notes))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(shown(text), max(20, width), break_on_hyphens=False) or [""]


def _one_line(text: str, width: int) -> str:
    """A text cut between two words; --full has the rest."""
    return textwrap.shorten(shown(text), max(20, width), placeholder=" …")


def _kept(rows: Sequence[Row], most: int) -> tuple[list[Row], list[str]]:
    """The rows of the table, and a line on each kind of arm that it leaves out."""
    if len(rows) <= most:
        return list(rows), []
    decided = [row for row in rows if row.decided]
    undecided = [row for row in rows if not row.decided]
    lines = []
    if len(decided) > most:
        half = most // 2
        middle = decided[half:-half]
        decided = [*decided[:half], *decided[-half:]]
        lines.append(_folded("between them", middle))
    kept = decided or [*undecided[: most // 2 - 1], undecided[-1]]
    rest = [row for row in undecided if row not in kept]
    if rest:
        lines.append(_folded("undecided everywhere", rest))
    return kept, lines


def _folded(what: str, rows: Sequence[Row]) -> str:
    names = [shown(row.augmentation) for row in rows]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{len(rows)} arms {what}: {', '.join(names[:6])}{more}"


def _table(answer: Answer, rows: Sequence[Row], width: int) -> Iterator[str]:
    """The table, its intervals shortened or its sizes in several blocks where it is too wide."""
    kept = answer.means if answer.rows else answer.means[:_MOST_ROWS]
    sizes = _sizes(answer, kept, rows)
    for short in (False, True):
        names = _names(answer, kept, rows, short=short)
        left = max(map(cell_len, names))
        columns = [*sizes, *_ends(answer, kept, rows, short=short)]
        if left + _width(columns) <= width:
            break
    blocks: list[list[list[str]]] = [[]]
    for column in columns:
        if blocks[-1] and left + _width([*blocks[-1], column]) > width:
            blocks.append([])
        blocks[-1].append(column)
    for block in blocks:
        for i, name in enumerate(names):
            parts = [set_cell_size(name, left)]
            parts += [_right(column[i], _widest(column)) for column in block]
            yield " ".join(parts).rstrip()


def _sizes(answer: Answer, kept: Sequence[Means], rows: Sequence[Row]) -> list[list[str]]:
    """The columns of the sizes."""
    return [
        [
            f"{size} ",
            *(_number(one.points[k], answer) + _low(one, k) for one in kept),
            *(_point(row.points[k], answer) for row in rows),
        ]
        for k, size in enumerate(answer.sizes)
    ]


def _names(answer: Answer, kept: Sequence[Means], rows: Sequence[Row], *, short: bool) -> list[str]:
    """The first column: what the numbers are, the arms with means, those with differences."""
    unit = " (%)" if answer.shares else ""
    arms = [*(one.augmentation for one in answer.means), *(one.augmentation for one in answer.rows)]
    names = list(map(shown, [answer.baseline, *arms]))

    def name(of: str) -> str:
        return cut(shown(of), _LONGEST_NAME, among=names, width=cell_len)

    if not answer.rows:
        return [f"means{unit}", *(name(one.augmentation) for one in kept)]
    return [
        f"{answer.unit} {'vs' if short else 'against'} {name(answer.baseline)}",
        *(f"{name(one.augmentation)}{unit}" for one in kept),
        *(name(row.augmentation) for row in rows),
    ]


def _ends(
    answer: Answer, kept: Sequence[Means], rows: Sequence[Row], *, short: bool
) -> list[list[str]]:
    """The columns of the average, of the interval and of p; of a single size, without the first."""
    several = len(answer.sizes) > 1
    own = [one.average if several else one.points[0] for one in kept]
    points = [row.average if several else row.points[0] for row in rows]
    level = f"{100 * answer.confidence:g} %"
    columns = []
    if several:
        means = [f"{_number(one, answer)} " for one in own]
        title = "mean " if short else "average "
        columns.append([title, *means, *(_point(one, answer) for one in points)])
    if answer.seeds > 1:
        short = short or not rows
        of_means = ["" if rows else _interval(one, answer, short=True) for one in own]
        of_rows = [_interval(one.difference, answer, short=short) for one in points]
        columns.append([f"± {level}" if short else f"({level} interval)", *of_means, *of_rows])
    if answer.testable:
        columns.append(["p", *("" for _ in own), *(p_text(one.p) for one in points)])
    return columns


def _low(one: Means, k: int) -> str:
    return _COLLAPSED if one.collapsed and one.collapsed[k] else " "


def _number(mean: MeanInterval, answer: Answer) -> str:
    if not mean.n:
        return "·"
    return number_text(answer.factor * mean.mean, answer.decimals)


def _point(one: Point, answer: Answer) -> str:
    if not one.difference.n:
        return "·"
    places = answer.decimals
    text = signed_text(answer.factor * one.difference.mean, places)
    low = _COLLAPSED if one.collapsed and one.size is not None else ""
    return f"{text}{one.mark or (' ' if not low else '')}{low}"


def _interval(d: MeanInterval, answer: Answer, *, short: bool) -> str:
    if math.isnan(d.lower):
        return ""
    if d.half_width == 0:
        return "all equal" if short else "(all seeds equal)"
    if short:
        return f"± {number_text(answer.factor * d.half_width, answer.decimals)}"
    low, high = (signed_text(answer.factor * end, answer.decimals) for end in (d.lower, d.upper))
    return f"({low} to {high})"


def _legend(answer: Answer, rows: Sequence[Row]) -> str:
    points = [one for row in rows for one in (*row.points, row.average)]
    parts = []
    if any(one.claim for one in points):
        tests = "sizes and arms" if len(answer.rows) > 1 else "sizes"
        parts.append(
            f"▲ helps  ▼ hurts: established, corrected for {tests}; unmarked: undecided"
            if len(answer.sizes) > 1 or len(answer.rows) > 1
            else "▲ helps  ▼ hurts: established"
        )
    if any(one.claim and one.uneven for one in points):
        parts.append("△ ▽: for most seeds, though not for the mean")
    if any(one.collapsed for one in points) or any(any(one.collapsed) for one in answer.means):
        parts.append(f"{_COLLAPSED}: with cells near chance where others learn")
    return "; ".join(parts)


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _widest(column: Sequence[str]) -> int:
    return max(map(cell_len, column))


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(1 + _widest(column) for column in columns)
