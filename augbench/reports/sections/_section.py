"""The parts that a report is made of, and the values that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from augbench.pictures.archive import Picture
from augbench.protocol.metrics import Metric
from augbench.protocol.readouts import LINEAR
from augbench.reports._formatting import p_text
from augbench.reports._tables import Entry, Table, difference_entry, with_collapses
from augbench.reports.answer import Answer, answer_of
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Interaction, MeanInterval, Scale, Verdict, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "NamedFigure",
    "Paragraph",
    "Report",
    "Section",
    "change_entries",
    "of_areas",
    "view_slug",
]


@dataclass(frozen=True)
class Report:
    """A study's results, and what the reader wants to see of them."""

    result: StudyResult
    confidence: float = 0.95
    pictures: tuple[Picture, ...] = ()
    train_curves: bool = False
    registered: str = ""

    @cached_property
    def answer(self) -> Answer:
        """The answer of the first pair."""
        return answer_of(self.result, confidence=self.confidence)

    @property
    def metric(self) -> Metric:
        """The metric that the report is about."""
        return self.result.primary

    @property
    def scale(self) -> Scale:
        """The scale of that metric."""
        return self.result.scale

    def difference(self, d: MeanInterval) -> Entry:
        """A difference of that metric as an entry, in its unit of differences."""
        fixed = self.metric.decimals_of_mean
        return difference_entry(
            d, factor=self.metric.factor, decimals=None if fixed == 1 else fixed
        )

    def analysis(self, pair: Pair) -> Analysis | None:
        """The analysis of a pair; None where nothing can be analysed."""
        return self.result.analysis(pair, confidence=self.confidence)

    def comparisons(self, pair: Pair) -> Analysis | None:
        """The analysis of a pair in which some augmentation is compared; None where none is."""
        analysis = self.analysis(pair)
        return analysis if analysis is not None and analysis.comparisons else None

    def verdicts(self, pair: Pair) -> list[Verdict]:
        """The analysis in words, one verdict for each augmentation."""
        analysis = self.analysis(pair)
        return verdict(analysis) if analysis is not None else []


@dataclass(frozen=True)
class Paragraph:
    """A headline with the sentences that support it, or a remark, which has no `kind`.

    `about` is the augmentation that it is a verdict on, "" for any other finding.
    """

    text: str
    sentences: tuple[str, ...] = ()
    kind: str = ""
    about: str = ""


@dataclass(frozen=True)
class NamedFigure:
    """A figure, its path below the folder of figures (without a suffix), and its file formats."""

    name: str
    figure: Figure
    formats: tuple[str, ...] = ("png", "svg", "pdf")


class Section:
    """One part of a report: its words, its table, its figures.

    A subclass overrides what it has; the rest is empty. Words and tables come pair by pair, or
    once for the whole study. The terminal prints all words, and `terminal_table`; the page shows
    words, tables and `page`; figures become files. Only methods that draw import matplotlib.
    """

    name: ClassVar[str]
    """Of its tables, and of its values in templates."""
    chapter: ClassVar[str] = "numbers"
    """The chapter of the page that its values are for.

    A study-wide table stands in it as well; the chapters that show tables are `answer`,
    `verdict`, `numbers` and `status`.
    """

    of_view: ClassVar[bool] = True
    """True where its tables and figures are about the report's view, which is then named with them.

    The view is a readout, on a number of finetuning images, tuned or not: `augbench.results.View`.
    """

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """Paragraphs about one pair."""
        return ()

    def table(self, report: Report, pair: Pair) -> Table | None:
        """A table of one pair, for the page."""
        return None

    def terminal_table(self, report: Report, pair: Pair) -> Table | None:
        """A narrow table of one pair; line breaks in a text stand where spaces may as well."""
        return None

    def figures(self, report: Report, pair: Pair) -> Iterable[NamedFigure]:
        """Figures of one pair."""
        return ()

    def study_table(self, report: Report) -> Table | None:
        """A table over the whole study, for the page."""
        return None

    def study_figures(self, report: Report) -> Iterable[NamedFigure]:
        """Figures over the whole study."""
        return ()

    def closing_lines(self, report: Report) -> Sequence[str]:
        """Lines that end the report in the terminal."""
        return ()

    def page(self, report: Report) -> Mapping[str, Any] | None:
        """Values for the template of its chapter; None if there is nothing to show."""
        return {}

    def data(self, report: Report) -> Mapping[str, Any]:
        """Entries of the page's embedded JSON."""
        return {}


def view_slug(result: StudyResult) -> str:
    """The part of a file name that tells the view; "" for the study's first one, if linear."""
    view, first = result.view, result.views[0]
    if view == first:
        return "" if view.readout == LINEAR.name else view.readout
    parts = [view.readout, str(view.finetune_samples or ""), "" if view.tuned else "default"]
    return "-".join(filter(None, parts))


def of_areas(found: Iterable[Interaction], sizes: Sequence[int]) -> list[Interaction]:
    """The changes of areas under the curve; of a single size, which has no area, its own."""
    return [one for one in found if one.size is None or len(sizes) == 1]


def change_entries(report: Report, one: Interaction | None) -> tuple[Entry, Entry]:
    """A change and the p-value of its test; dashes where there is none."""
    if one is None:
        return Entry("–"), Entry("–")
    text = p_text(one.p_adjusted) if one.reachable else f"out of reach (n ≥ {one.seeds_needed})"
    change = with_collapses(report.difference(one.change), one.collapses)
    return change, Entry(text, one.p_adjusted)
