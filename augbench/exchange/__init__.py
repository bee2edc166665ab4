"""Studies leave a store, stores meet: export, merge and compare; no torch."""

from __future__ import annotations

from augbench.exchange.comparing import StoreComparison, compare
from augbench.exchange.exporting import FORMATS, export, to_csv, to_json
from augbench.exchange.merging import Merged, merge
from augbench.exchange.noise import Disagreement, disagreements

__all__ = [
    "FORMATS",
    "Disagreement",
    "Merged",
    "StoreComparison",
    "compare",
    "disagreements",
    "export",
    "merge",
    "to_csv",
    "to_json",
]
