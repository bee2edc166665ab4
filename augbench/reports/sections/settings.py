"""Settings: the command, the protocol's numbers, the components and the data sets."""

from __future__ import annotations

from typing import Any

from augbench.options import reported
from augbench.reports.sections._section import Report, Section

__all__ = ["Settings"]


class Settings(Section):
    """Everything that the study was asked to do."""

    name = "settings"
    chapter = "settings"

    def page(self, report: Report) -> dict[str, Any]:
        """The stored study, with its command, its description, and its options in words."""
        stored = report.result.stored
        return {
            "stored": stored,
            "study": stored.description,
            "settings": reported(stored.description),
        }
