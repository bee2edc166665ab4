"""Settings: the command, the protocol's numbers, the components and the data sets."""

from __future__ import annotations

from collections.abc import Mapping
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
            "components": _components(stored.description),
        }


def _components(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The augmentations of all arms, each once, and the backbone."""
    found = [part for arm in study["arms"] for stage in arm["pipeline"] for part in stage]
    return [*{part["label"]: part for part in found}.values(), study["backbone"]]
