"""Upgrade a store in place, format by format.

Format 4 had the text of its settings in each cell.

Format 3 had no predicted classes and no labels of test sets: its cells lack them, and keep their
checksums. Its plans knew one readout, and no trials.

Format 2 had no checksums, kinds of failures and packs. What it holds is checked once, and signed
if it is sound.

Format 1 had every parameter and the version of a component in a key, so that a release made all
cells stale. What is stored says which parameters were off their defaults (labels do), so that the
new keys can be computed without the plugins. A cell whose augmentation draws from another stream
today keeps its old key: its study still reads it, and a new study computes it anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from augbench.datasets.contract import DatasetInfo
from augbench.options import Settings, options_of
from augbench.plugins.components import Component, Kind
from augbench.plugins.parameters import split
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.streams import spec_words, words
from augbench.protocol.study import Arm, Budget, Cell, study_key
from augbench.store._checksums import COLUMNS, CellRow, content_id, signed, thoroughly_sound
from augbench.store._schema import SCHEMA_3, SCHEMA_4, SCHEMA_5
from augbench.store._studies import all_studies, plan_checksum, plan_of, study_checksum

__all__ = ["upgrade"]

_DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""Raised by code that reads what was not written so."""

_PLANS = """
CREATE TABLE plans_2 (
    study INTEGER NOT NULL REFERENCES studies (id),
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    pretrain_dataset TEXT NOT NULL,
    finetune_dataset TEXT NOT NULL,
    arm TEXT NOT NULL,
    budget TEXT NOT NULL,
    samples_per_class INTEGER,
    seed INTEGER NOT NULL,
    PRIMARY KEY (study, position)
)
"""


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a store from that format to the present one, within the caller's transaction."""
    if version == 1:
        _from_1(connection)
    if version <= 2:
        _add(connection, _FORMAT_3, SCHEMA_3)
    if version <= 3:
        _add(connection, _FORMAT_4, SCHEMA_4)
    if version == 3:
        _sign_plans(connection)
    if version <= 2:  # after the others: rows are read with today's columns
        _sign(connection)
    _add(connection, (), SCHEMA_5)
    _share_settings(connection)


_FORMAT_3 = (
    ("cells", "failure TEXT NOT NULL DEFAULT ''"),
    ("cells", "pack TEXT NOT NULL DEFAULT ''"),
    ("cells", "test_images INTEGER"),
    ("cells", "checksum TEXT NOT NULL DEFAULT ''"),
    ("studies", "checksum TEXT NOT NULL DEFAULT ''"),
    ("studies", "plan_checksum TEXT NOT NULL DEFAULT ''"),
)
"""The columns that came with format 3, as (table, column); its tables are `SCHEMA_3`."""

_FORMAT_4 = (
    ("cells", "predicted BLOB"),
    ("plans", "readout TEXT NOT NULL DEFAULT 'linear'"),
    ("plans", "finetune_samples INTEGER"),
    ("plans", "role TEXT NOT NULL DEFAULT 'result'"),
    ("plans", "trial INTEGER"),
    ("plans", "fold INTEGER"),
)
"""The columns that came with format 4; its tables are `SCHEMA_4`."""


def _add(connection: sqlite3.Connection, columns: Iterable[tuple[str, str]], tables: str) -> None:
    for table, column in columns:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    for statement in tables.split(";\n"):
        connection.execute(statement)


_OF_FORMAT_3 = 8
"""The columns of a plan before format 4."""


def _sign_plans(connection: sqlite3.Connection) -> None:
    """Write the checksums of plans anew, with their new columns, where the old ones held."""
    for study in all_studies(connection):
        plan = plan_of(connection, study.id)
        if study.plan_checksum == plan_checksum(row[:_OF_FORMAT_3] for row in plan):
            connection.execute(
                "UPDATE studies SET plan_checksum = ? WHERE id = ?",
                (plan_checksum(plan), study.id),
            )


def _sign(connection: sqlite3.Connection) -> None:
    """Write the checksums of what is sound; damaged rows get none."""
    test_sizes: dict[str, int] = {}
    for study in all_studies(connection):
        own = study_checksum(study.key, study.description, study.command)
        try:
            described = study._replace(checksum=own).described()
            plan = plan_of(connection, study.id)
            if study_key(described, [row[1] for row in plan]) != study.key:
                continue
            for one in described["datasets"].values():
                test_sizes[one["content_hash"]] = int(one["test_size"])
        except _DAMAGED:
            continue
        connection.execute(
            "UPDATE studies SET checksum = ?, plan_checksum = ? WHERE id = ?",
            (own, plan_checksum(plan), study.id),
        )
    for number, row in _rows(connection):
        try:
            size = test_sizes.get(json.loads(row.settings)["finetune_dataset"])
            row = row._replace(failure="error" if row.status == "failed" else "", test_images=size)
            thoroughly_sound(row)
        except _DAMAGED:
            continue
        connection.execute(
            "UPDATE cells SET failure = ?, test_images = ?, checksum = ? WHERE rowid = ?",
            (row.failure, row.test_images, signed(row).checksum, number),
        )


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[int, CellRow]]:
    """Each cell's row with its number; one query for each, so that the caller may change it."""
    numbers = [number for (number,) in connection.execute("SELECT rowid FROM cells")]
    query = f"SELECT {COLUMNS} FROM cells WHERE rowid = ?"
    for number in numbers:
        yield number, CellRow._make(connection.execute(query, (number,)).fetchone())


def _share_settings(connection: sqlite3.Connection) -> None:
    """Keep each text of settings once, for all of its cells; sound cells are signed anew."""
    for number, row in _rows(connection):
        if row.computed_checksum() != row.checksum:  # it stays as it is, to be found
            continue
        name = content_id(row.settings)
        connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, row.settings))
        connection.execute(
            "UPDATE cells SET settings = ?, checksum = ? WHERE rowid = ?",
            (name, signed(row._replace(settings=name)).checksum, number),
        )


def _from_1(connection: sqlite3.Connection) -> None:
    moved = _upgraded_cells(connection)
    connection.execute(_PLANS)
    studies = connection.execute("SELECT id, description FROM studies ORDER BY id").fetchall()
    known: dict[str, int] = {}
    for number, text in studies:
        try:
            description = _description(json.loads(text))
            budget = Budget(description["settings"]["pretrain_steps"]).label
        except _DAMAGED:  # nothing tells what it was
            connection.execute("DELETE FROM studies WHERE id = ?", (number,))
            continue
        rows = connection.execute(
            "SELECT study, position, key, pretrain_dataset, finetune_dataset, augmentation, "
            "samples_per_class, seed FROM plans WHERE study = ? ORDER BY position",
            (number,),
        ).fetchall()
        plan = [(*row[:2], moved.get(row[2], row[2]), *row[3:6], budget, *row[6:]) for row in rows]
        key = study_key(description, [row[2] for row in plan])
        if key in known:  # the same study, under another version
            connection.execute(
                "UPDATE studies SET last_run_at = max(last_run_at, (SELECT last_run_at FROM "
                "studies WHERE id = ?)) WHERE id = ?",
                (number, known[key]),
            )
            connection.execute("DELETE FROM studies WHERE id = ?", (number,))
            continue
        known[key] = number
        connection.execute(
            "UPDATE studies SET key = ?, description = ? WHERE id = ?",
            (key, json.dumps(description, sort_keys=True, allow_nan=False), number),
        )
        connection.executemany("INSERT INTO plans_2 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", plan)
    connection.execute("DROP TABLE plans")
    connection.execute("ALTER TABLE plans_2 RENAME TO plans")


def _upgraded_cells(connection: sqlite3.Connection) -> dict[str, str]:
    """Give cells their new keys; returns the new key of each old one that has one."""
    moved: dict[str, str] = {}
    rows = connection.execute(
        "SELECT key, backbone, augmentation, samples_per_class, seed, settings FROM cells "
        # Of two cells that become one, the good and later one stays.
        "ORDER BY status = 'ok', finished_at"
    ).fetchall()
    for row in rows:
        try:
            cell, settings = _cell_of(row)
        except _DAMAGED:  # it keeps its key, under which nobody finds it
            continue
        if cell is None:
            continue
        moved[row[0]] = cell.key
        connection.execute(
            "UPDATE OR REPLACE cells SET key = ?, pretrain_key = ?, settings = ? WHERE key = ?",
            (cell.key, cell.pretrain_key, json.dumps(settings), row[0]),
        )
    return moved


def _cell_of(row: tuple[Any, ...]) -> tuple[Cell | None, dict[str, Any]]:
    """The cell of an old row and its settings today; None where it draws otherwise today."""
    _, backbone_label, label, size, seed, text = row
    settings = json.loads(text)
    backbone = _component("backbone", backbone_label, settings["backbone"])
    augmentation = _component("augmentation", label, settings["augmentation"])
    drawn = (augmentation.distribution, augmentation.name, augmentation.parameters)
    if spec_words(augmentation) != words(repr(drawn)):
        return None, settings
    options = Settings(**{k: v for k, v in settings.items() if k in options_of(Settings)})
    cell = Cell(
        _dataset(settings["pretrain_dataset"]),
        _dataset(settings["finetune_dataset"]),
        backbone,
        Arm.of(augmentation, options),
        size,
        seed,
    )
    identities = {
        "backbone": backbone.identity(),
        "augmentation": cell.pipeline.identity(),
    }
    return cell, {**settings, **identities}


def _description(old: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a study as it is written today."""
    kept = {name: value for name, value in old.items() if name != "augmentations"}
    backbone = _component("backbone", old["backbone"]["label"], old["backbone"])
    arms = [
        {
            "label": one["label"],
            "shown": one["label"],
            "pipeline": Pipeline.of(_component("augmentation", one["label"], one)).to_json(),
        }
        for one in old["augmentations"]
    ]
    return {**kept, "arms": arms, "backbone": backbone.to_json()}


def _component(kind: Kind, label: str, identity: Mapping[str, Any]) -> Component:
    """The component of an old identity; the label tells what was off its default."""
    head = f"{identity['distribution']}:{identity['name']}"
    if not f"{label}:".startswith(f"{head}:"):
        head = identity["name"]
    _, named = split(label[len(head) + 1 :])
    return Component(
        kind=kind,
        name=identity["name"],
        parameters=tuple(sorted(identity["parameters"].items())),
        distribution=identity["distribution"],
        version=identity["version"],
        source_hash=identity["source"],
        varied=frozenset(named) & frozenset(identity["parameters"]),
        label=label,
    )


def _dataset(content_hash: str) -> DatasetInfo:
    """A data set of which nothing but its content counts; a class, so that there are images."""
    return DatasetInfo("", content_hash, (1, 1, 1), ("",), (1,), 1)
