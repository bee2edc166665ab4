"""The store: finished cells in one SQLite file, each written as it ends.

A cell's row is found by its key alone, so a later study computes only what is missing. Studies
are kept beside the cells, with the order of their plan, so that a report knows what was asked for
and what of it is there. Stores of several machines can be merged into one.
"""

from __future__ import annotations

from augbench.store._agreement import Disagreement, disagreements
from augbench.store._merging import Conflict, Merged, merge
from augbench.store._rows import PlannedCell, StoredStudy
from augbench.store._schema import FILE_NAME
from augbench.store._store import Store
from augbench.store._writable import check_writable

__all__ = [
    "FILE_NAME",
    "Conflict",
    "Disagreement",
    "Merged",
    "PlannedCell",
    "Store",
    "StoredStudy",
    "check_writable",
    "disagreements",
    "merge",
]
