"""Tables as plain values: the text of each cell, and the number behind it.

The page and the terminal render them; a test holds every number behind them against its own
computation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from augbench.protocol.metrics import Metric
from augbench.reports._formatting import decimals_for, interval_text, number_text, signed_text
from augbench.statistics import MeanInterval

__all__ = [
    "ARM_AND_SIZE",
    "Bar",
    "Column",
    "Entry",
    "Table",
    "difference_entry",
    "mean_entry",
    "metric_column",
    "with_collapses",
]


@dataclass(frozen=True)
class Bar:
    """A small drawing of an interval: positions in [0, 100], None where there is none."""

    zero: float
    point: float
    low: float | None
    high: float | None
    sure: bool


@dataclass(frozen=True)
class Entry:
    """One cell of a table: its text, the number that it is sorted by, and that number's interval.

    `value`, `low` and `high` are in the unit of the text (points, per cent, factors). On the page a
    `link` leads to the element of that id, and `tone` tints the cell: from −4 (worst) to 4 (best).
    """

    text: str
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    bar: Bar | None = None
    link: str = ""
    tone: int = 0


@dataclass(frozen=True)
class Column:
    """A column: its key, its title, and a hint that hovering shows.

    A column of `words` holds text, and is aligned as such. The page shows `detail` columns in a
    table of their own below, which unfolds.
    """

    key: str
    title: str
    hint: str = ""
    words: bool = False
    detail: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first column names the row."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    note: str = ""

    @property
    def plain(self) -> Table:
        """The table without its columns of details."""
        return self._of([not column.detail for column in self.columns])

    @property
    def details(self) -> Table | None:
        """The names of the rows with the columns of details; None where there are none."""
        if not any(column.detail for column in self.columns):
            return None
        # The columns in front tell a row from the others.
        first = sum(1 for _ in itertools.takewhile(_names_rows, self.columns))
        kept = [k < first or column.detail for k, column in enumerate(self.columns)]
        return replace(self._of(kept), name=f"{self.name}-more", note="")

    def _of(self, kept: Sequence[bool]) -> Table:
        """The table of the columns that are kept."""
        return replace(
            self,
            columns=tuple(itertools.compress(self.columns, kept)),
            rows=tuple(tuple(itertools.compress(row, kept)) for row in self.rows),
        )


def _names_rows(column: Column) -> bool:
    return column.words or column.key == "size"


ARM_AND_SIZE = (
    Column("augmentation", "augmentation", words=True),
    Column("size", "s", "Pretraining samples per class"),
)
"""The columns of a table with a row for each augmentation and size."""


def metric_column(one: Metric) -> Column:
    """The column of a metric: its short name in its unit."""
    return Column(one.name, one.head, one.hint)


def mean_entry(mean: MeanInterval, decimals: int = 1) -> Entry:
    """A mean ± half of its interval; nothing is printed where nothing was measured."""
    if not mean.n:
        return Entry("·", None, n=0)
    text = number_text(mean.mean, decimals)
    if mean.n > 1 and mean.half_width == 0:
        text += " (all seeds equal)"
    elif not math.isnan(mean.lower):
        text += f" ± {number_text(mean.half_width, decimals)}"
    if mean.dropped:
        text += f" (n = {mean.n})"
    return Entry(text, mean.mean, mean.lower, mean.upper, mean.n)


def with_collapses(entry: Entry, cells: int) -> Entry:
    """An entry that says how many of the cells behind it collapsed, if any did."""
    return replace(entry, text=f"{entry.text} ({cells} collapsed)") if cells else entry


def difference_entry(d: MeanInterval, *, factor: float = 100, decimals: int | None = None) -> Entry:
    """A paired difference with its interval, by default in points."""
    if not d.n:
        return Entry("·", None, n=0)
    mean, low, high = factor * d.mean, factor * d.lower, factor * d.upper
    places = decimals_for(factor * d.half_width) if decimals is None else decimals
    text = signed_text(mean, places)
    if limits := interval_text(low, high, places, sign=True):
        text += f" ({limits})"
    return Entry(text, mean, low, high, d.n)
