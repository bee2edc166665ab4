"""The data of the page: what its buttons let a reader download."""

from __future__ import annotations

from typing import Any

from augbench.reports.export import to_csv
from augbench.reports.sections._section import Report, Section
from augbench.statistics import as_plain

__all__ = ["Data"]


class Data(Section):
    """Every cell, the analyses and the verdicts, embedded in the page."""

    name = "data"
    chapter = "data-download"

    def data(self, report: Report) -> dict[str, Any]:
        """`csv` is the text of `augbench export`; `report` is the rest in full precision."""
        result = report.result
        return {
            "csv": to_csv(result),
            "report": {
                "study": result.plan(),
                "confidence": report.confidence,
                "environments": result.environments(),
                "pairs": [
                    {
                        "pair": list(pair),
                        "analysis": as_plain(report.analysis(pair)),
                        "verdicts": [as_plain(one) for one in report.verdicts(pair)],
                    }
                    for pair in result.pairs
                ],
                "cells": result.cell_rows(),
            },
        }
