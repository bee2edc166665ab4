"""Whatever is typed, passed or damaged: one clear line, an exit code, and never a traceback.

150 examples of each kind; `AUGBENCH_FUZZ=1000 pytest -n 0 tests/cli/test_fuzz.py` tries more.
"""

import contextlib
import io
import os
import shutil
import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augbench.api import execute, plan
from augbench.cli import main
from augbench.errors import AugbenchError
from augbench.options import Options, options_of
from augbench.store import FILE_NAME

TINY = Path(__file__).parents[1] / "support" / "tiny.py"
EXAMPLES = settings(
    max_examples=int(os.environ.get("AUGBENCH_FUZZ", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

WORDS = (
    *("", "-1", "0", "1e999", "nan", "mixup", "none", "mixup:alpha=0.1/0.2", "mixup+mixup", "all"),
    *("tiny-a", "tiny-b", "wide", "folder:/nowhere", "folder:path=.", "9" * 400, "\x1b[2J", "a,b"),
    *("1,2", "../..", "/dev/null", "/proc/self/mem", "=1+1", "\ud800", "cuda:0,cuda:0", "no:x"),
)
FLAGS = (
    *sorted({flag for option in options_of(Options).values() for flag in option.flags}),
    *("--dry-run", "--json", "--html", "--study", "--columns", "--references", "--no-baseline"),
)
VERBS = (
    *("run", "report", "export", "merge", "compare", "list", "plugins", "status", "retry"),
    *("verify", "backup", "new"),
)
texts = st.text(max_size=30) | st.sampled_from(WORDS)


def called(arguments, folder):
    """Run the command line in a folder; returns its exit code and all that it printed."""
    out, errors, before = io.StringIO(), io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
            pytest.raises(SystemExit) as caught,
        ):
            main(arguments)
    finally:
        os.chdir(before)
    return caught.value.code, out.getvalue() + errors.getvalue()


def is_well_behaved(code, printed):
    assert code in (0, 1, 2), printed
    assert "Traceback" not in printed
    assert "internal error" not in printed
    assert "\x1b" not in printed


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one tiny study, results and a failure."""
    out = tmp_path_factory.mktemp("fuzz") / "out"
    execute(
        plan(
            ["mixup", "breaks"],
            pretrain_datasets="tiny-a",
            finetune_datasets="tiny-b",
            samples_per_class=(1, 4),
            seeds=2,
            batch_size=4,
            pretrain_steps=4,
            finetune_steps=4,
            finetune_samples_per_class=5,
            workers=0,
            out=out,
            plugins=str(TINY),
        )
    )
    return out


@EXAMPLES
@given(verb=st.sampled_from(VERBS), words=st.lists(st.sampled_from(FLAGS) | texts, max_size=6))
def test_any_command_line(tmp_path, verb, words):
    arguments = [verb, *words]
    if verb == "run":  # what is asked for may well be possible, and for ever
        arguments += ["--dry-run", "--plugin", str(TINY)]
    is_well_behaved(*called(arguments, tmp_path))


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.lists(texts, max_size=3)
)


@EXAMPLES
@given(
    given_options=st.dictionaries(st.sampled_from(sorted(options_of(Options))), values, max_size=4)
)
def test_any_call_in_python(tmp_path, given_options):
    options = {"plugins": str(TINY), "pretrain_datasets": "tiny-a", "out": tmp_path / "out"}
    with contextlib.suppress(AugbenchError):
        plan(**{**options, **given_options})


TABLES = {
    "cells": [
        *("pretrain_key", "metrics", "curves", "correct", "settings", "error", "status", "key"),
        *("finished_at", "seconds", "environment", "seed", "augmentation", "failure"),
    ],
    "studies": ["description", "command", "created_at", "last_run_at", "key"],
    "plans": ["key", "arm", "budget", "samples_per_class", "seed", "position"],
    "environments": ["description", "id"],
}
places = st.sampled_from([(table, column) for table in TABLES for column in TABLES[table]])
contents = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9)
contents |= st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["{", "[]", "{}", "null", '{"accuracy": "x"}', '{"accuracy": NaN}', "ok"]
)


@EXAMPLES
@given(
    damage=st.lists(st.tuples(places, contents, st.booleans()), max_size=3),
    cut=st.none() | st.integers(0, 40_000),
    verb=st.sampled_from(
        ["report", "export", "merge", "compare", "status", "retry", "verify", "backup"]
    ),
)
def test_any_damage_to_a_store(tmp_path, store, damage, cut, verb):
    out = tmp_path / "damaged"
    shutil.rmtree(tmp_path)
    shutil.copytree(store, out)
    with closing(sqlite3.connect(out / FILE_NAME, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        for (table, column), content, everywhere in damage:
            where = "" if everywhere else " WHERE rowid = (SELECT max(rowid) FROM {0})"
            statement = f"UPDATE OR IGNORE {table} SET {column} = ?" + where.format(table)
            with contextlib.suppress(sqlite3.IntegrityError):
                database.execute(statement, (content,))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if cut is not None:
        with (out / FILE_NAME).open("r+b") as file:
            file.truncate(cut)
    arguments = {
        "report": ["report", "--out", str(out), "--no-figures"],
        "export": ["export", "cells.csv", "--out", str(out)],
        "merge": ["merge", str(out), str(store), "--out", "merged"],
        "compare": ["compare", str(out), str(store)],
        "backup": ["backup", "copy", "--out", str(out)],
    }.get(verb, [verb, "--out", str(out)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        is_well_behaved(*called(arguments, tmp_path))


def test_a_fault_of_ours_is_one_line_too(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("nothing\nat all")

    monkeypatch.setattr("augbench.planning.plan", broken)
    monkeypatch.setattr("augbench.api.plan", broken)
    code, printed = called(["run", "--dry-run"], tmp_path)
    assert code == 70
    assert "internal error: ZeroDivisionError: nothing at all; this is a fault of Aug" in printed
    assert "Traceback" not in printed
    assert sys.exc_info() == (None, None, None)
