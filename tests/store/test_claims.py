"""Two runs on one store: each cell is one run's at a time."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from synthetic import ENVIRONMENT, invent, make_study

from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.wanted import Wanted
from augbench.store import Owner, Store, _claims

STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))
CELLS = STUDY.cells()
KEYS = [cell.key for cell in CELLS]


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as opened:
        yield opened


def record(store, cell, **changes):
    store.record(cell, replace(invent(cell, STUDY), **changes), ENVIRONMENT, "cpu")


@pytest.fixture
def dead():
    """The owner that a process was which has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Owner.of_this_process(), pid=process.pid)


def test_a_cell_is_claimed_once_until_it_is_released(store):
    one, other = Owner.of_this_process(), Owner.of_this_process()
    assert store.claim(KEYS[:5], one) == set(KEYS[:5])
    assert store.claim(KEYS[:5], one) == set(KEYS[:5])
    assert store.claim(KEYS, other) == set(KEYS[5:])
    store.release(KEYS[:2], one)
    store.release(KEYS[5:6], one)  # not its own
    assert store.claim(KEYS, other) == {*KEYS[:2], *KEYS[5:]}
    store.release_all(one)
    assert store.claim(KEYS, other) == set(KEYS)
    assert store.claim(KEYS[:1], one, ignore=True) == {KEYS[0]}
    assert store.claim(KEYS[:1], other) == set()


def test_what_is_computed_is_not_claimed_and_what_failed_is(store):
    owner = Owner.of_this_process()
    record(store, CELLS[0])
    store.record(CELLS[1], CellResult(KEYS[1], error="E: no"), ENVIRONMENT, "cpu")
    assert store.claim(KEYS, owner) == set(KEYS[1:])
    assert KEYS[0] in store.claim(KEYS, owner, wanted=Wanted(test_every=50))


def test_a_good_result_ends_the_claim_on_its_cell(store):
    owner = Owner.of_this_process()
    store.claim(KEYS[:2], owner)
    record(store, CELLS[0])
    assert [claim.key for claim in store.claims()] == [KEYS[1]]


def test_a_dead_process_s_claims_are_taken_over(store, dead):
    store.claim(KEYS, dead)
    assert not any(claim.alive for claim in store.claims())
    assert store.claim(KEYS[:3], Owner.of_this_process()) == set(KEYS[:3])
    assert [claim.alive for claim in store.claims()].count(True) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the beat alone tells")
def test_a_process_that_has_a_dead_one_s_number_is_another(store):
    before = replace(Owner.of_this_process(), started=time.time() - 1e6)
    store.claim(KEYS, before)
    assert store.claim(KEYS, Owner.of_this_process()) == set(KEYS)


def test_another_host_s_claims_are_free_when_its_beat_stands_still(store, monkeypatch):
    far, here = replace(Owner.of_this_process(), host="node7"), Owner.of_this_process()
    clock = [1000.0]
    monkeypatch.setattr(_claims.time, "monotonic", lambda: clock[0])
    store.claim(KEYS, far)
    assert store.claim(KEYS, here) == set()
    clock[0] += 50
    store.beat(far)
    assert store.claim(KEYS, here) == set()
    clock[0] += 50
    assert store.claim(KEYS, here) == set()
    clock[0] += 20
    assert store.claim(KEYS, here) == set(KEYS)


def test_a_reader_sees_who_computes_what_since_when(store):
    owner = Owner.of_this_process()
    before = time.time()
    store.claim(KEYS[:1], owner)
    with Store.read(store.path.parent) as reader:
        (claim,) = reader.claims()
    assert (claim.key, claim.owner, claim.alive) == (KEYS[0], owner, True)
    assert before <= claim.last_beat <= claim.since <= time.time()
    assert owner.pid == os.getpid()


def test_runs_that_claim_at_once_share_the_cells_without_doubles(tmp_path):
    study = make_study(["mixup", "collage"], seeds=20)
    keys = [cell.key for cell in study.cells()]
    Store.open(tmp_path).close()
    won, barrier = [], threading.Barrier(4)

    def run():
        owner = Owner.of_this_process()
        with Store.open(tmp_path) as store:
            barrier.wait()
            for start in range(0, len(keys), 10):
                won.extend(store.claim(keys[start : start + 10], owner))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(keys)


def test_the_first_good_result_stays_unless_a_later_one_has_the_test_curves_asked_for(store):
    def measured(*steps):
        many = tuple(0.5 for _ in steps)
        return {"finetune": TrainingCurve((), (), (), steps, many, many)}

    cell, result = CELLS[0], invent(CELLS[0], STUDY)
    outcomes = [
        (CellResult(cell.key, error="E: no"), True),
        (result, True),
        (replace(result, seconds=9.0), False),
        (CellResult(cell.key, error="E: no"), False),
        (replace(result, curves=measured(50, 100)), True),
        (replace(result, curves=measured(50, 100), seconds=9.0), False),
        (result, False),
        (replace(result, curves=measured(20, 40)), True),
    ]
    for outcome, written in outcomes:
        assert store.record(cell, outcome, ENVIRONMENT, "cpu") is written
    assert store.finished(KEYS, Wanted(test_every=20)).keys() == {cell.key}
    assert store.finished(KEYS, Wanted(test_every=50)) == {}


def test_kinds_of_failure_come_back_and_some_are_given_up_until_they_are_forgotten(store):
    kinds = ("", "crashed", "timed out")
    store.plan(STUDY, CELLS, "augbench run")
    for cell, kind in zip(CELLS, kinds, strict=False):
        failure = CellResult(cell.key, error=f"E: {kind}", lost=kind)
        store.record(cell, failure, ENVIRONMENT, "cpu")
    cells = store.study().cells[:3]
    assert [cell.result.failure for cell in cells] == ["error", "crashed", "timed out"]
    assert store.given_up(KEYS) == {KEYS[1]: "E: crashed", KEYS[2]: "E: timed out"}
    assert store.forget_failures(KEYS[2:]) == 1
    assert store.forget_failures() == 1
    assert store.given_up(KEYS) == {}
    assert store.study().cells[0].status == "failed"


def test_outcomes_are_written_once_with_their_pack(store):
    outcomes = [(cell, invent(cell, STUDY), ENVIRONMENT, "cpu") for cell in CELLS]
    assert all(store.record(*outcome, pack=KEYS) for outcome in outcomes)
    assert not any(store.record(*outcome, pack=KEYS) for outcome in outcomes)
    with store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM packs").fetchone() == (1,)
    assert store.finished(KEYS).keys() == set(KEYS)


def test_a_text_that_utf_8_cannot_say_is_stored_with_its_letters_written_out(store):
    failure = CellResult(KEYS[0], error="E: \ud800", traceback="\udcff")
    store.plan(STUDY, CELLS, "augbench run \udcff")
    store.record(CELLS[0], failure, ENVIRONMENT, "cpu")
    assert store.study().cells[0].result.error == r"E: \ud800"
    assert store.study().command == r"augbench run \udcff"
