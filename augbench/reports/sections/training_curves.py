"""Training curves of every computed cell, on request: a figure each."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.reports.sections._section import NamedFigure, Report, Section

__all__ = ["TrainingCurves"]


class TrainingCurves(Section):
    """Loss and accuracy of each cell while it trained."""

    name = "training_curves"
    of_view = False

    def study_figures(self, report: Report) -> Iterator[NamedFigure]:
        """A PNG for each computed cell, in a folder of their own."""
        if not report.train_curves:
            return
        from augbench.reports.figures.training import cell_slug, training_curves

        several, views = len(report.result.budgets) > 1, len(report.result.views) > 1
        for cell in report.result.cells:
            if cell.result is not None and cell.result.ok:
                name = f"train-curves/{cell_slug(cell, with_budget=several, with_view=views)}"
                yield NamedFigure(name, training_curves(cell), ("png",))
