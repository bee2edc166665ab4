"""Claims: which run computes which cell at the moment, so that no two compute the same.

A run registers itself, claims cells before it trains them, and counts up a beat while it lives.
The claims of a dead run are free to be taken. On the same host, the system tells whether a
process lives; of another host, a beat that stands still for a minute is taken for its end. Beats
are counters that each waiting process watches with its own clock: those of hosts differ.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from augbench.protocol.wanted import Wanted
from augbench.store._cells import batches, look_up
from augbench.store._checksums import is_time

__all__ = [
    "CLAIM_KINDS",
    "Claim",
    "Owner",
    "Watch",
    "all_claims",
    "beat",
    "claim",
    "of_kinds",
    "release",
    "release_all",
]

_SILENCE = 60.0
"""Seconds without a beat after which a run on another host is taken for dead."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int)


_Check = Callable[[object], bool]
CLAIM_KINDS: dict[str, tuple[_Check, ...]] = {
    "runs": (_is_text, _is_text, _is_whole, is_time, _is_whole, is_time),
    "claims": (_is_text, _is_text, is_time),
}
"""The kinds of the values in the columns of this module's tables."""


@dataclass(frozen=True)
class Owner:
    """A run: a process on a host. `started` is when the process began, in Unix time."""

    token: str
    host: str
    pid: int
    started: float

    @classmethod
    def of_this_process(cls) -> Owner:
        """A new run of this process: each call gives another token."""
        pid = os.getpid()
        return cls(uuid.uuid4().hex, socket.gethostname(), pid, _start_time(pid) or time.time())


@dataclass(frozen=True)
class Claim:
    """A cell that a run computes; times are Unix times.

    `since` and `last_beat` are by the clock of the owner's host. `alive` is False where the owner
    is known to be gone, so that the next run takes the cell.
    """

    key: str
    owner: Owner
    since: float
    last_beat: float
    alive: bool


@dataclass
class Watch:
    """The beats that this process has seen, and since when each stands still."""

    seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def is_alive(self, owner: Owner, beat: int, *, last_beat: float | None = None) -> bool:
        """True unless the owner is known to be gone.

        With `last_beat`, of a reader who does not wait, the clocks of both hosts are trusted for
        what has not been watched for long enough.
        """
        if owner.host == socket.gethostname():
            known = _runs(owner)
            if known is not None:
                return known
        now = time.monotonic()
        before, since = self.seen.get(owner.token, (None, now))
        if before != beat:
            self.seen[owner.token] = (beat, now)
            since = now
        if last_beat is not None and since == now:
            return time.time() - last_beat < _SILENCE
        return now - since < _SILENCE


def claim(
    connection: sqlite3.Connection,
    keys: Sequence[str],
    owner: Owner,
    watch: Watch,
    *,
    ignore: bool,
    measurements: Wanted,
) -> set[str]:
    """Claim those keys that are neither computed well nor another live owner's; returns them."""
    beat(connection, owner)
    wanted = list(dict.fromkeys(keys))
    done = look_up(connection, wanted, measurements).accuracies
    taken = set[str]()
    if not ignore:
        living = {
            other.token
            for other, count, _ in _owners(connection)
            if other.token != owner.token and watch.is_alive(other, count)
        }
        for batch in batches(wanted):
            marks = ",".join("?" * len(batch))
            rows = connection.execute(
                f"SELECT key, token, since FROM claims WHERE key IN ({marks})", batch
            )
            sound = (row for row in rows if of_kinds(row, CLAIM_KINDS["claims"]))
            taken |= {key for key, token, _ in sound if token in living}
    free = [key for key in wanted if key not in done and key not in taken]
    now = time.time()
    connection.executemany(
        "INSERT INTO claims (key, token, since) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
        "token = excluded.token, since = excluded.since WHERE token <> excluded.token",
        ((key, owner.token, now) for key in free),
    )
    return set(free)


def release(connection: sqlite3.Connection, keys: Sequence[str], owner: Owner) -> None:
    """Give up the claims of an owner on these keys."""
    for batch in batches(keys):
        marks = ",".join("?" * len(batch))
        connection.execute(
            f"DELETE FROM claims WHERE token = ? AND key IN ({marks})", (owner.token, *batch)
        )


def release_all(connection: sqlite3.Connection, owner: Owner) -> None:
    """Give up all claims of an owner, and forget it."""
    connection.execute("DELETE FROM claims WHERE token = ?", (owner.token,))
    connection.execute("DELETE FROM runs WHERE token = ?", (owner.token,))


def beat(connection: sqlite3.Connection, owner: Owner) -> None:
    """Register an owner, or count its beat up."""
    connection.execute(
        "INSERT INTO runs (token, host, pid, started, beat, beaten_at) VALUES (?, ?, ?, ?, 1, ?) "
        "ON CONFLICT (token) DO UPDATE SET beat = beat + 1, beaten_at = excluded.beaten_at",
        (owner.token, owner.host, owner.pid, owner.started, time.time()),
    )


def _owners(connection: sqlite3.Connection) -> list[tuple[Owner, int, float]]:
    rows = connection.execute("SELECT token, host, pid, started, beat, beaten_at FROM runs")
    return [(Owner(*row[:4]), row[4], row[5]) for row in rows if of_kinds(row, CLAIM_KINDS["runs"])]


def of_kinds(row: Sequence[object], kinds: Sequence[_Check]) -> bool:
    """True if each value is of its kind, as it is unless the row was damaged."""
    return all(is_kind(value) for value, is_kind in zip(row, kinds, strict=True))


def all_claims(connection: sqlite3.Connection, watch: Watch) -> list[Claim]:
    """Every claim, in the order of cells."""
    owners = {
        owner.token: (owner, at, watch.is_alive(owner, count, last_beat=at))
        for owner, count, at in _owners(connection)
    }
    found = []
    for row in connection.execute("SELECT key, token, since FROM claims ORDER BY since, key"):
        if of_kinds(row, CLAIM_KINDS["claims"]):
            key, token, since = row
            owner, at, alive = owners.get(token, (Owner(token, "", 0, 0.0), 0.0, False))
            found.append(Claim(key, owner, since, at, alive))
    return found


def _runs(owner: Owner) -> bool | None:
    """True if the process of an owner on this host runs; None if that cannot be told."""
    if not 0 < owner.pid < 2**31:
        return False
    if _boot_time() is not None:
        started = _start_time(owner.pid)
        # The clock may have been set since; a process with the same number began much later.
        return started is not None and abs(started - owner.started) < 2
    if sys.platform == "win32":  # there, a signal of 0 is Ctrl-C
        return None
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return None
    return None  # its number may have been given to another process: the beat tells


def _start_time(pid: int) -> float | None:
    """The time at which a living process began, in Unix time; None for a dead one.

    None also where the system has no /proc, as on macOS and Windows.
    """
    boot = _boot_time()
    if boot is None:
        return None
    try:
        # The second field is the program's name, in parentheses, with whatever it contains.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":  # ended, only not yet noticed by its parent
        return None
    return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _boot_time() -> float | None:
    try:
        text = Path("/proc/stat").read_text()
    except OSError:
        return None
    lines = [line.split() for line in text.splitlines() if line.startswith("btime ")]
    return float(lines[0][1]) if lines else None
