"""`augbench status`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from augbench.cli._shared import folder_of_run, json_option
from augbench.cli._streams import echo, write_text
from augbench.reports.objects import counts_object, failures_object, json_text, study_object
from augbench.results import StudyResult
from augbench.store import Claim, Owner, PlannedCell, Store

__all__ = ["status_command"]

_REASONS = 5  # shown of each kind of failure


@click.command("status")
@folder_of_run
@click.option("--study", type=int, help="Number of the study.  [default: the latest]")
@json_option
def status_command(out: Path, study: int | None, as_json: bool) -> None:
    """Say what of a study is done, what failed and why, and what computes where."""
    with Store.read(out) as store:
        result = StudyResult(store.study(study))
        claims = store.claims()
    if as_json:
        write_text(json_text("status", _object(result, claims)) + "\n")
        return
    for line in _lines(result, claims):
        echo(line)


def _object(result: StudyResult, claims: Iterable[Claim]) -> dict[str, Any]:
    keys = {cell.key for cell in result.all_cells}
    own = [claim for claim in claims if claim.key in keys]
    return {
        "study": study_object(result),
        "cells": counts_object(result),
        "failures": failures_object(result),
        "claims": [
            {
                "host": claim.owner.host,
                "process": claim.owner.pid or None,
                "since": claim.since,
                "last_sign_of_life": claim.last_beat,
                "alive": claim.alive,
            }
            for claim in own
        ],
    }


def _lines(result: StudyResult, claims: Iterable[Claim]) -> Iterator[str]:
    stored = result.stored
    cells = {
        cell.key: cell for cell in result.all_cells
    }  # two data sets of one content share cells
    counts = Counter(cell.status for cell in cells.values())
    damaged = f", {len(stored.damaged)} of them damaged" if stored.damaged else ""
    yield (
        f"study {stored.id}: {len(cells)} cells planned, {counts['ok']} done, "
        f"{counts['failed']} failed, {counts['missing']} missing{damaged}"
    )
    if stored.command:
        yield f"  {stored.command}"
    if result.other_studies:
        yield result.other_studies
    yield from _failures([cell for cell in cells.values() if cell.status == "failed"])
    own = [claim for claim in claims if claim.key in cells]
    for alive, title in ((True, "running"), (False, "stale claim")):
        owners: dict[Owner, list[Claim]] = {}
        for claim in own:
            if claim.alive is alive:
                owners.setdefault(claim.owner, []).append(claim)
        for owner, held in owners.items():
            yield f"{title}: {_held(owner, held)}"
    if any(not claim.alive for claim in own):
        yield "stale claims are of runs that ended without a word; the next run takes their cells"


def _held(owner: Owner, held: list[Claim]) -> str:
    since, last = min(claim.since for claim in held), held[0].last_beat
    cells = "1 cell" if len(held) == 1 else f"{len(held)} cells"
    seen = f"last sign of life {max(0, time.time() - last):.0f} s ago"
    if not owner.pid:
        return f"{cells}, since {_clock(since)}"
    return f"{cells} by process {owner.pid} on {owner.host}, since {_clock(since)}, {seen}"


def _failures(failed: list[PlannedCell]) -> Iterator[str]:
    """The failures by kind, the most frequent reasons first, each with the first cell's place."""
    kinds: dict[str, list[PlannedCell]] = {}
    for cell in failed:
        assert cell.result is not None
        kinds.setdefault(cell.result.failure, []).append(cell)
    for kind, cells in kinds.items():
        again = (
            "the next run tries them again"
            if kind == "error"
            else "`augbench retry` lets the next run try them again"
        )
        yield f"{kind}: {len(cells)}; {again}"
        reasons = Counter(str(cell.result.error) for cell in cells if cell.result)
        first = {str(cell.result.error): cell for cell in reversed(cells) if cell.result}
        for reason, number in reasons.most_common(_REASONS):
            yield f"  {number} × {reason} (first: {first[reason].place})"
        if len(reasons) > _REASONS:
            yield f"  and {len(reasons) - _REASONS} other reasons"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
