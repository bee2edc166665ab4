"""Several runs on one store train each cell once, and all end with the same results."""

import threading
from collections import Counter
from dataclasses import replace

from augbench.api import Observer, execute, plan
from augbench.protocol.metrics import PRIMARY
from augbench.store import Owner, Store


class Trained(Observer):
    """Counts what was trained here; `holds` waits after the first cell until it is let go."""

    def __init__(self, holds=None):
        self.here, self.elsewhere, self.lines, self.holds = [], [], [], holds

    def finished(self, cell, result):
        (self.elsewhere if result.engine == "another run" else self.here).append(cell.key)
        if self.holds is not None:
            self.holds.wait(60)

    def waiting(self, text):
        self.lines.append(text)


def numbers(result):
    return [cell.result.metrics[PRIMARY.name] for cell in result.cells]


def test_two_runs_train_every_cell_once(tiny_options):
    # Each trains in a process of its own: torch's random state is watched, and one for a process.
    options = replace(tiny_options, engine="reference", workers=1)
    planned = [plan(options), plan(options)]
    both_plan = threading.Barrier(2)

    class Together(Trained):
        def planned(self, plan, stored):
            both_plan.wait(60)

    watching = [Together(), Together()]
    found = {}

    def run(number):
        found[number] = execute(planned[number], watching[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trained = Counter(watching[0].here + watching[1].here)
    assert set(trained.values()) == {1}
    assert len(trained) == 8
    for one in watching:
        assert len(one.here) + len(one.elsewhere) == 8
    assert numbers(found[0]) == numbers(found[1])
    with Store.read(options.out) as store:
        assert store.claims() == []


def test_claims_of_a_dead_run_are_taken_over(tiny_options):
    planned = plan(tiny_options)
    dead = Owner("dead", Owner.of_this_process().host, 2**22 + 1, 1.0)
    with Store.open(tiny_options.out) as store:
        store.claim([cell.key for cell in planned.cells], dead)
    watching = Trained()
    execute(planned, watching)
    assert len(watching.here) == 8


def test_claims_of_a_living_run_are_waited_for_unless_they_are_ignored(tiny_options):
    planned = plan(tiny_options)
    alive = Owner.of_this_process()
    keys = [cell.key for cell in planned.cells]
    with Store.open(tiny_options.out) as store:
        store.claim(keys, alive)
    ignoring = Trained()
    execute(plan(replace(tiny_options, ignore_claims=True, seeds=1)), ignoring)
    assert len(ignoring.here) == 4

    class LetsGo(Trained):
        def waiting(self, text):
            super().waiting(text)
            with Store.open(tiny_options.out) as store:
                store.release_all(alive)

    with Store.open(tiny_options.out) as store:
        store.claim(keys, alive)
    waiting = LetsGo()
    execute(planned, waiting)
    assert len(waiting.here) == 4
    assert waiting.lines == ["waiting for cells that another run on this store is training"]
