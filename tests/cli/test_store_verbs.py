"""`status`, `retry`, `backup` and `verify`, on stores of invented results."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damage import rewrite
from synthetic import ENVIRONMENT, invent, make_study

from augbench.pictures.archive import Picture, add_pictures, known_pictures
from augbench.protocol.cell_result import CellResult
from augbench.store import FILE_NAME, Owner, Store, problems

STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))
CELLS = STUDY.cells()


@pytest.fixture
def store(tmp_path):
    """Five cells done, one that failed, one that crashed, one missing."""
    folder = tmp_path / "store"
    with Store.open(folder) as opened:
        opened.plan(STUDY, CELLS, "augbench run --aug mixup")
        for cell in CELLS[:5]:
            opened.record(cell, invent(cell, STUDY), ENVIRONMENT, "cpu")
        for cell, lost in zip(CELLS[5:7], ("", "crashed"), strict=True):
            failure = CellResult(cell.key, error=f"Gone: {lost or 'error'}", lost=lost)
            opened.record(cell, failure, ENVIRONMENT, "cpu")
    return folder


def test_status_tells_what_is_done_what_failed_and_who_computes(augbench, store):
    living = Owner.of_this_process()
    gone = replace(living, token="gone", host="node7")
    rewrite(store, "UPDATE cells SET seconds = 'x' WHERE key = ?", (CELLS[0].key,))
    with Store.open(store) as opened:
        opened.claim([CELLS[7].key], living)
        opened.claim([CELLS[6].key], gone)
    rewrite(store, "UPDATE runs SET beaten_at = beaten_at - 300 WHERE token = 'gone'")
    code, printed, errors = augbench("status", "--out", store)
    assert code == 0
    assert errors.startswith("warning: 1 damaged cell in ")
    printed = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "NOW", printed)
    assert re.sub(r"(\d+) s ago", "N s ago", printed).splitlines() == [
        "study 1: 8 cells planned, 4 done, 2 failed, 2 missing, 1 of them damaged",
        "  augbench run --aug mixup",
        "error: 1; the next run tries them again",
        "  1 × Gone: error (first: digits→letters none s=2 seed 1)",
        "crashed: 1; `augbench retry` lets the next run try them again",
        "  1 × Gone: crashed (first: digits→letters mixup s=1 seed 1)",
        f"running: 1 cell by process {living.pid} on {living.host}, since NOW UTC, "
        "last sign of life N s ago",
        f"stale claim: 1 cell by process {gone.pid} on node7, since NOW UTC, "
        "last sign of life N s ago",
        "stale claims are of runs that ended without a word; the next run takes their cells",
    ]


def test_retry_forgets_what_no_run_tries_by_itself(augbench, store):
    keys = [cell.key for cell in CELLS]
    code, printed, _ = augbench("retry", "--out", store, "--arm", "none")
    assert (code, printed) == (0, "no cell crashed or timed out: nothing to try again\n")
    code, printed, _ = augbench("retry", "--out", store, "--arm", "mixup")
    assert code == 0
    assert printed == "1 cell is tried again by the next run: augbench run --aug mixup\n"
    with Store.read(store) as opened:
        assert opened.given_up(keys) == {}
        assert [cell.status for cell in opened.study().cells][5:] == [
            "failed",
            "missing",
            "missing",
        ]
    code, _, errors = augbench("retry", "--out", store, "--arm", "mixpu")
    assert code == 2
    assert errors.startswith("error: --arm 'mixpu': no such arm in study 1; expected one of none")


def test_a_store_in_use_is_copied_whole_and_never_over_another(augbench, store, tmp_path):
    images = np.zeros((1, 1, 4, 4), np.uint8)
    add_pictures(store, {"key": Picture("digits", "mixup", images, images, ("x",))})
    dest = tmp_path / "new" / "copy"
    with Store.open(store) as opened:
        opened.claim([CELLS[7].key], Owner.of_this_process())
        opened.record(CELLS[5], invent(CELLS[5], STUDY), ENVIRONMENT, "cpu")
        code, printed, _ = augbench("backup", dest, "--out", store)
    assert (code, printed) == (0, f"copied 7 cells to {dest}\n")
    assert sorted(path.name for path in dest.iterdir()) == [FILE_NAME, "gallery.npz"]
    assert known_pictures(dest) == {"key"}
    with Store.read(dest) as copied, Store.read(store) as source:
        assert copied.study() == source.study()
        assert copied.claims() == []
    (store / "registration-1.json").write_text("{}")
    slim = tmp_path / "slim"
    assert augbench("backup", slim, store, "--slim")[1] == f"copied 7 cells to {slim}\n"
    assert (slim / "registration-1.json").read_text() == "{}"
    code, _, errors = augbench("backup", dest, "--out", store)
    assert (code, errors) == (2, f"error: {str(dest)!r} holds a store already; name a new folder\n")
    code, _, errors = augbench("backup", tmp_path / "other" / "copy", "--out", tmp_path / "nowhere")
    assert code == 2
    assert not (tmp_path / "other").exists()


def test_a_sound_store_is_verified(augbench, store):
    code, printed, errors = augbench("verify", "--out", store)
    assert (code, printed, errors) == (0, "looked at 7 cells of 1 study\n", "")


def test_each_problem_is_a_line_and_repair_drops_it_after_a_copy(augbench, store):
    rewrite(store, "UPDATE cells SET seconds = 'x' WHERE key = ?", (CELLS[0].key,))
    wrong = replace(invent(CELLS[7], STUDY), correct=b"\xff" * 63)
    with Store.open(store) as opened:
        opened.record(CELLS[7], wrong, ENVIRONMENT, "cpu")
        smaller = make_study(["mixup"], seeds=1, sizes=(1, 2))
        opened.plan(smaller, smaller.cells(), "augbench run --seeds 1")
    rewrite(store, "UPDATE plans SET arm = 'x' WHERE study = 2 AND position = 0")
    rewrite(store, "INSERT INTO packs VALUES ('abc', '[]')")
    code, printed, errors = augbench("verify", "--out", store)
    assert code == 1
    lines = printed.splitlines()
    assert lines[0] == "damaged: pack abc: it does not agree with its id"
    assert lines[1] == (
        "damaged: cell digits→letters none s=1 seed 0: it does not agree with its checksum"
    )
    assert lines[2].startswith("damaged: cell digits→letters mixup s=2 seed 1: its accuracy is 0.")
    assert lines[3] == "damaged: study 2: its plan does not agree with its checksum"
    assert lines[4:] == ["looked at 8 cells of 2 studies"]
    assert errors.startswith("error: 4 problems in ")
    code, printed, errors = augbench("verify", "--out", store, "--repair")
    copy = f"{store / FILE_NAME}.before-repair-1"
    assert (code, errors) == (0, "")
    assert f"dropped 4 rows; the store as it was is in {copy}; " in printed
    assert augbench("verify", "--out", store) == (0, "looked at 6 cells of 1 study\n", "")
    with Store.read(store) as opened:
        assert [cell.status for cell in opened.study().cells].count("ok") == 4
    with Store.read(Path(copy)) as before:
        assert len(problems(before)) == 4


def test_a_file_with_damaged_pages_is_told_of_and_not_touched(augbench, store):
    path = store / FILE_NAME
    data = bytearray(path.read_bytes())
    with Store.read(store) as opened, opened.connection() as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'cells'"
        ).fetchone()
    size = int.from_bytes(data[16:18], "big")
    data[(page - 1) * size : page * size] = b"\xa5" * size
    path.write_bytes(data)
    code, printed, errors = augbench("verify", "--out", store)
    assert code == 1
    assert printed.startswith("damaged: the file cannot be read to its end: ")
    assert len(errors.splitlines()) == 1
    code, _, errors = augbench("verify", "--out", store, "--repair")
    assert code == 2
    assert "is damaged beyond its rows" in errors
    assert len(errors.splitlines()) == 1
    assert path.read_bytes() == data
    code, _, errors = augbench("report", "--out", store, "--no-figures")
    assert code == 2
    (line,) = errors.splitlines()
    assert "augbench verify" in line


@pytest.mark.parametrize("link", [False, True])
def test_no_output_takes_the_place_of_a_store(augbench, store, tmp_path, link):
    """A page or an export whose name is the store's would lose every result."""
    target = store / FILE_NAME
    if link:
        (tmp_path / "link").symlink_to(target)
        target = tmp_path / "link"
    for command in (
        ("report", store, "--no-figures", "--html", target),
        ("export", target, store, "--format", "csv"),
    ):
        code, _, errors = augbench(*command)
        assert code
        assert "it is a store, whose results would be lost" in errors
        assert errors.count("\n") == 1
    with Store.read(store) as kept:
        assert kept.study().cells
