"""A report in the terminal: the answer in some twenty lines, or the words of all sections."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import rich.console
import rich.table
from rich.text import Text

from augbench.options import Options
from augbench.protocol.metrics import PRIMARY
from augbench.reports import sections
from augbench.reports._tables import Column, Table
from augbench.reports.answer import answer_lines, answer_of, headline_lines
from augbench.reports.console import Console, plain
from augbench.reports.sections import Paragraph, Report
from augbench.results import Pair, StudyResult
from augbench.text import shown

__all__ = ["print_answer", "print_report", "print_results", "where_line"]

_MOST_COLUMNS = 100
"""Longer lines are hard to read."""
_STYLES = {"[▲△]": "green", "[▼▽]": "red", "✗": "red"}

_WIDTH_OF_NUMBERS = 15
"""Columns of the terminal that a mean with its interval takes."""


def print_report(
    result: StudyResult,
    console: rich.console.Console | None = None,
    *,
    confidence: float = 0.95,
    full: bool = False,
    registered: str = "",
) -> None:
    """Print the answer; in full, every verdict in words and the tables of means in its place.

    The line on how the study was registered ends it, see `augbench.registration`.
    """
    console = console or Console()
    (print_results if full else print_answer)(result, console, confidence=confidence)
    if registered:
        console.print(shown(registered), markup=False, highlight=False, soft_wrap=True)


def print_answer(
    result: StudyResult, console: rich.console.Console | None = None, *, confidence: float = 0.95
) -> None:
    """Print what to use where, the differences from the baseline, and what limits both."""
    console = console or Console()
    answer = answer_of(result, confidence=confidence)
    width = min(console.width, _MOST_COLUMNS)
    head = headline_lines(answer, width=width)
    for number, line in enumerate(answer_lines(answer, width=width)):
        text = Text(line, style="bold" if number < len(head) else "", no_wrap=True)
        for mark, style in _STYLES.items():
            text.highlight_regex(mark, style)
        console.print(text, soft_wrap=True)


def where_line(result: StudyResult, out: Path, *, full: bool = False, figures: bool = True) -> str:
    """One line: where the figures are, and the commands that say more."""
    usual = [] if out == Options.out else ["--out", str(out)]
    about = [] if result.primary is PRIMARY else ["--metric", result.metric]
    command = ["augbench", "report", *usual, *about]
    parts = [f"figures in {out}"] if figures else []
    if not full:
        parts.append(f"more: {shlex.join([*command, '--full'])}")
    return " · ".join([*parts, f"a page: {shlex.join([*command, '--html', 'report.html'])}"])


def print_results(
    result: StudyResult, console: rich.console.Console | None = None, *, confidence: float = 0.95
) -> None:
    """Print the verdict in words, then the table of mean ± interval, per pair."""
    console = console or Console()
    report = Report(result, confidence)
    for pair in result.pairs:
        words = [one for section in sections.SECTIONS for one in section.words(report, pair)]
        _print_words(words, pair, console)
    for pair in result.pairs:
        for section in sections.SECTIONS:
            table = section.terminal_table(report, pair)
            if table is not None:
                console.print(_rendered(table, console.width))
    for section in sections.SECTIONS:
        for line in section.closing_lines(report):
            console.print(shown(line), markup=False, highlight=False, soft_wrap=True)


def _print_words(words: Sequence[Paragraph], pair: Pair, console: rich.console.Console) -> None:
    """Verdicts as a list under the name of the pair, remarks fainter."""
    if any(one.kind for one in words):
        console.print(f"[bold]{plain(pair[0])} → {plain(pair[1])}[/bold]")
    for one in sorted(words, key=lambda one: not one.kind):  # what was found, then remarks
        if not one.kind:
            console.print(shown(one.text), style="dim", markup=False, highlight=False)
            continue
        first, *others = map(shown, (one.text, *one.sentences))
        lines = Text("\n".join((first, *others)))
        lines.stylize("bold", 0, len(first))
        grid = rich.table.Table.grid(padding=(0, 1))
        grid.add_row("•", lines)  # a grid wraps long lines under their beginning
        console.print(grid)


def _rendered(table: Table, width: int) -> rich.table.Table:
    """A table for a console of that width: the parts of an entry side by side where that fits."""
    names = [table.columns[0].title, *(row[0].text for row in table.rows)]
    fits = width >= max(map(len, names)) + 4 + _WIDTH_OF_NUMBERS * (len(table.columns) - 1)
    rendered = _empty_table(table.caption, table.columns)
    for name, *numbers in table.rows:
        texts = (entry.text.replace("\n", " ") if fits else entry.text for entry in numbers)
        rendered.add_row(plain(name.text), *map(plain, texts))
    return rendered


def _empty_table(caption: str, columns: Sequence[Column]) -> rich.table.Table:
    table = rich.table.Table(title=plain(caption), title_justify="left", title_style="bold")
    table.add_column(plain(columns[0].title), overflow="fold")
    for column in columns[1:]:
        table.add_column(plain(column.title), justify="right", no_wrap=True)
    return table
