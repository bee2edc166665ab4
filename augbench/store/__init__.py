"""The store: finished cells in one SQLite file, each written as it ends.

A cell's row is found by its key alone, so a later study computes only what is missing. Studies
are kept beside the cells, with the order of their plan, so that a report can tell which
planned cells are missing.
"""

from __future__ import annotations

from augbench.store._rows import PlannedCell, StoredStudy
from augbench.store._schema import FILE_NAME
from augbench.store._store import Store

__all__ = ["FILE_NAME", "PlannedCell", "Store", "StoredStudy"]
