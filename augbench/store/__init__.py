"""The store: finished cells in one SQLite file, each written as it ends.

A cell's row is found by its key alone, so a later study computes only what is missing. Studies
are kept beside the cells, with the order of their plan, so that a report knows what was asked for
and what of it is there. Stores of several machines can be merged into one.

Every row has a checksum. A row that is not as it was written counts as missing, and never keeps
the others from being read.
"""

from __future__ import annotations

from augbench.store._agreement import Disagreement, disagreements
from augbench.store._backup import backup
from augbench.store._claims import Claim, Owner
from augbench.store._merging import Conflict, Merged, merge
from augbench.store._rows import PlannedCell, StoredStudy
from augbench.store._schema import FILE_NAME, REGISTRATIONS
from augbench.store._store import Store
from augbench.store._times import CellTime
from augbench.store._verifying import Problem, problems, repair
from augbench.store._writable import check_writable

__all__ = [
    "FILE_NAME",
    "REGISTRATIONS",
    "CellTime",
    "Claim",
    "Conflict",
    "Disagreement",
    "Merged",
    "Owner",
    "PlannedCell",
    "Problem",
    "Store",
    "StoredStudy",
    "backup",
    "check_writable",
    "disagreements",
    "merge",
    "problems",
    "repair",
]
