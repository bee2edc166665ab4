"""Studies and their plans in the store's tables."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from augbench.protocol.study import Cell, Study, study_key
from augbench.store._cells import batches
from augbench.store._checksums import (
    COLUMNS,
    CellRow,
    Damage,
    checksum,
    content_id,
    is_time,
    storable,
)
from augbench.store._labels import keep_labels, sound_labels
from augbench.store._rows import PlannedCell, StoredStudy, planned_cell

__all__ = [
    "ADD_TO_PLAN",
    "PLAN_COLUMNS",
    "STUDY_COLUMNS",
    "StudyRow",
    "all_studies",
    "plan",
    "plan_checksum",
    "plan_of",
    "plan_tuned",
    "stored_study",
    "study_checksum",
]


class StudyRow(NamedTuple):
    """A row of the table of studies."""

    id: int
    key: str
    description: str
    command: str
    created_at: float
    last_run_at: float
    checksum: str
    plan_checksum: str

    def described(self) -> Mapping[str, Any]:
        """The description; raises `Damage` if the row is not as it was written."""
        times = (self.created_at, self.last_run_at)
        if self.checksum != study_checksum(self.key, self.description, self.command):
            raise Damage("it does not agree with its checksum")
        if not all(map(is_time, times)):
            raise Damage("a time is none")
        try:
            description: Mapping[str, Any] = json.loads(self.description)
        except (ValueError, TypeError) as error:
            raise Damage("its description cannot be read") from error
        return description


STUDY_COLUMNS = ", ".join(StudyRow._fields)
PLAN_COLUMNS = (
    "position, key, pretrain_dataset, finetune_dataset, arm, budget, samples_per_class, seed, "
    "readout, finetune_samples, role, trial, fold"
)
ADD_TO_PLAN = f"INSERT INTO plans (study, {PLAN_COLUMNS}) VALUES ({', '.join('?' * 14)})"

PlanRow = tuple[Any, ...]
"""The values of `PLAN_COLUMNS`."""


def study_checksum(key: str, description: str, command: str) -> str:
    """The checksum of a study without its plan; times change, and are left out."""
    return checksum((key, description, command))


def plan_checksum(rows: Iterable[PlanRow]) -> str:
    """The checksum of a plan, in its order."""
    return checksum(value for row in rows for value in row)


def plan_of(connection: sqlite3.Connection, number: int) -> list[PlanRow]:
    """The plan of a study, in its order."""
    return connection.execute(
        f"SELECT {PLAN_COLUMNS} FROM plans WHERE study = ? ORDER BY position", (number,)
    ).fetchall()


def all_studies(connection: sqlite3.Connection) -> list[StudyRow]:
    """Every study, the one that ran last at the end."""
    rows = connection.execute(f"SELECT {STUDY_COLUMNS} FROM studies ORDER BY last_run_at, id")
    return list(map(StudyRow._make, rows))


def plan(connection: sqlite3.Connection, study: Study, cells: Sequence[Cell], command: str) -> int:
    """Keep the study and its plan; returns its number. Damaged, they are written anew."""
    keep_labels(connection, (info for pair in study.pairs for info in pair))
    described = study.to_json()
    # ASCII alone: any name can be stored.
    description = json.dumps(described, sort_keys=True, allow_nan=False)
    key, now = study_key(described, [cell.key for cell in cells]), time.time()
    command = storable(command)
    rows = [_plan_row(position, cell) for position, cell in enumerate(cells)]
    own, whole = study_checksum(key, description, command), plan_checksum(rows)
    connection.execute(
        "INSERT INTO studies (key, description, command, created_at, last_run_at) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET last_run_at = ?",
        (key, description, command, now, now, now),
    )
    query = f"SELECT {STUDY_COLUMNS} FROM studies WHERE key = ?"
    stored = StudyRow._make(connection.execute(query, (key,)).fetchone())
    if not _is_sound(connection, stored):
        connection.execute(
            "UPDATE studies SET description = ?, command = ?, created_at = ?, checksum = ?, "
            "plan_checksum = ? WHERE id = ?",
            (description, command, now, own, whole, stored.id),
        )
        connection.execute("DELETE FROM plans WHERE study = ?", (stored.id,))
        connection.executemany(ADD_TO_PLAN, ((stored.id, *row) for row in rows))
    return stored.id


def _is_sound(connection: sqlite3.Connection, stored: StudyRow) -> bool:
    try:
        stored.described()
    except Damage:
        return False
    return plan_checksum(plan_of(connection, stored.id)) == stored.plan_checksum


def _plan_row(position: int, cell: Cell) -> PlanRow:
    names = (cell.pretrain.name, cell.finetune.name, cell.arm.label)
    return (
        position,
        cell.key,
        *(storable(name) for name in names),
        cell.budget.label if cell.budget else "",
        cell.samples_per_class,
        cell.seed,
        cell.readout,
        cell.finetune_size,
        *_role(cell),
    )


def _role(cell: Cell) -> tuple[str, int | None, int | None]:
    """The role of a cell in a study, the trial that it is or is chosen by, and its fold."""
    if cell.trial is not None:
        return "trial", cell.trial.number, cell.trial.fold if cell.trial.folds else None
    return ("result" if cell.chosen is None else "tuned"), cell.chosen, None


def plan_tuned(connection: sqlite3.Connection, number: int, cells: Sequence[Cell]) -> None:
    """Let a study's plan end with the cells of what its trials have chosen.

    They are no part of what a study is known by: that is known before anything is chosen.
    """
    connection.execute("DELETE FROM plans WHERE study = ? AND role = 'tuned'", (number,))
    (last,) = connection.execute(
        "SELECT max(position) FROM plans WHERE study = ?", (number,)
    ).fetchone()
    rows = [_plan_row(last + 1 + n, cell) for n, cell in enumerate(cells)]
    connection.executemany(ADD_TO_PLAN, ((number, *row) for row in rows))
    connection.execute(
        "UPDATE studies SET plan_checksum = ? WHERE id = ?",
        (plan_checksum(plan_of(connection, number)), number),
    )


def _is_described(row: StudyRow) -> bool:
    """True for a study whose row is as it was written."""
    with suppress(Damage):
        return bool(row.described())
    return False


def _before(chosen: StudyRow, others: Iterable[StudyRow]) -> list[Mapping[str, Any]]:
    """Earlier studies, the first one first, that differ in nothing but what a look may change."""
    wanted, found = _without_choices(chosen.described()), []
    for other in sorted(others, key=lambda row: row.id):
        with suppress(Damage):
            if other.id < chosen.id and _without_choices(other.described()) == wanted:
                found.append(other.described())
    return found


def _without_choices(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description without the number of seeds and the primary budget."""
    choices = ("seeds", "primary_budget")
    return {name: value for name, value in description.items() if name not in choices}


def _primary_budget(description: Mapping[str, Any]) -> str:
    """The primary budget of a study in words; "" in one of a single budget in steps."""
    longest = description.get("budgets", [""])[-1]
    return str(description.get("primary_budget", longest))


def stored_study(
    connection: sqlite3.Connection, chosen: StudyRow, others: Iterable[StudyRow]
) -> StoredStudy:
    """A study with all its cells; raises `Damage` if it or its plan is damaged.

    `others` are all studies of the store, as `all_studies` orders them.

    The cells of damaged rows are missing, and counted.
    """
    description = chosen.described()
    plan, before = plan_of(connection, chosen.id), _before(chosen, others)
    if plan_checksum(plan) != chosen.plan_checksum:
        raise Damage("its plan does not agree with its checksum")
    environments = {}
    for number, text in connection.execute("SELECT id, description FROM environments"):
        if isinstance(text, str) and content_id(text) == number:
            environments[number] = json.loads(text)
    cells, damaged = list[PlannedCell](), set[str]()
    for batch in batches(plan):
        marks = ",".join("?" * len(batch))
        found = connection.execute(
            f"SELECT {COLUMNS} FROM cells WHERE key IN ({marks})", [row[1] for row in batch]
        )
        rows = {row.key: row for row in map(CellRow._make, found)}
        for planned in batch:
            cell = planned_cell(planned, rows.get(planned[1]), environments)
            cells.append(cell)
            if planned[1] in rows and cell.result is None:
                damaged.add(cell.key)
    return StoredStudy(
        chosen.id,
        description,
        chosen.command,
        chosen.created_at,
        tuple(cells),
        min((one["seeds"] for one in before), default=None),
        frozenset(damaged),
        _test_labels(connection, description),
        next(iter(map(_primary_budget, before)), None),
        tuple(row.id for row in others if _is_described(row)),
    )


def _test_labels(
    connection: sqlite3.Connection, description: Mapping[str, Any]
) -> dict[str, bytes]:
    """The true classes of the test images of a study's data sets, by name, where they are known."""
    datasets = description["datasets"]
    found = sound_labels(connection, {one["content_hash"] for one in datasets.values()})
    return {
        name: row.labels
        for name, one in datasets.items()
        if (row := found.get(one["content_hash"])) is not None
        and (row.images, row.classes) == (one["test_size"], len(one["classes"]))
    }
