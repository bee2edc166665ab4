"""What a result says of itself to a person: in a notebook, in a shell, in a script's output.

The reports put it into words and pictures. They are asked for them only when somebody looks, since
they are built on the results: it is the one place where a room asks for one above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from augbench.errors import UsageError
from augbench.results._cells import Pair

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from augbench.reports.notebook import StudyVerdict
    from augbench.results._study import StudyResult
    from augbench.statistics import BestSet

__all__ = ["Shown"]


class Shown:
    """The methods of a `StudyResult` that show it.

    All of them are about its metric, at its budget and in its view; `about` and `at` change these.
    A `pair` is one of `pairs`, by default the first; others raise `UsageError`.
    """

    def verdict(self, pair: Pair | None = None, *, confidence: float = 0.95) -> StudyVerdict:
        """What was found, in words: prints as a few lines, and is a list in a notebook."""
        from augbench.reports.notebook import verdict_of

        return verdict_of(_result(self), _pair(self, pair), confidence)

    def best(
        self, size: int | None = None, *, pair: Pair | None = None, confidence: float = 0.95
    ) -> BestSet:
        """The arms that cannot be told from the best at one size, in samples per class.

        None asks for the area under the curve, the average over the sizes. `.best` of it are their
        names. Raises `UsageError` for a size that is none of `sizes`, and where fewer than two arms
        have results. `best_arms` has the sets of all sizes.
        """
        result = _result(self)
        if size is not None and size not in result.sizes:
            sizes = ", ".join(map(str, result.sizes))
            raise UsageError(
                f"size: expected one of {sizes}, or None for the average over them, got {size!r}"
            )
        found = result.best_arms(_pair(self, pair), confidence=confidence)
        if found is None:
            raise UsageError("best: expected two arms with results, and there are fewer")
        if size is None:
            return found.overall
        return found.by_size[result.sizes.index(size)]

    def plot(self, pair: Pair | None = None, *, confidence: float = 0.95) -> Figure:
        """The learning curves as a matplotlib figure, which no state of pyplot knows of.

        A notebook shows it; `.savefig("curves.pdf")` keeps it.
        """
        from augbench.reports.notebook import figure_of

        return figure_of(_result(self), _pair(self, pair), confidence)

    def __repr__(self) -> str:
        from augbench.reports.notebook import text_of

        return text_of(_result(self))

    def _repr_html_(self) -> str:
        from augbench.reports.notebook import html_of

        return html_of(_result(self))


def _result(shown: Shown) -> StudyResult:
    """The study's results: nothing else is shown."""
    return cast("StudyResult", shown)


def _pair(shown: Shown, pair: Pair | None) -> Pair:
    """The pair that is asked for, the first one by default."""
    pairs = _result(shown).pairs
    if pair is None:
        return pairs[0]
    if pair not in pairs:
        raise UsageError(f"pair: expected one of {', '.join(map(str, pairs))}, got {pair!r}")
    return pair
