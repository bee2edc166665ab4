"""A plugin that breaks things costs its own cells, with a reason that is true, and no other's."""

from pathlib import Path

import pytest
from rogue import DEEDS

from augbench.api import execute, plan
from augbench.options import Options

ROGUE = Path(__file__).parents[1] / "support" / "rogue.py"
TINY = ROGUE.with_name("tiny.py")

# By deed: the kind of failure, and what the reason says besides the augmentation's name.
CRASHES = {
    "exits": "ended with code 0",
    "segfaults": "was killed by signal 11 (SIGSEGV)",
    "writes": "wrote what is no message of its own",
}
ERRORS = {
    "system-exit": "raised SystemExit; a plugin must not end the program",
    "keyboard-interrupt": "raised KeyboardInterrupt; a plugin must not end the program",
    "no-grad": "changed torch's gradient mode for everybody",
    "float64": "changed torch's default dtype for everybody",
    "threads": "changed torch's number of threads for everybody",
    "seeds": "changed the global random state of torch",
    "random": "changed the global random state of random",
    "numpy-random": "changed the global random state of NumPy",
    "nan": "expected images of finite numbers",
    "bright": "expected values in [0, 1], got ",
    "in-place": "changes its inputs in place",
    "neighbours": "the result of one row changed with the images of another",
}
TEXTS = {"unspeakable": "a message that cannot be made", "surrogate": r"a lone \ud800 surrogate"}


def study(tmp_path, names, **options):
    return Options(
        augmentations=tuple(names),
        **{
            "pretrain_datasets": ("tiny-a",),
            "finetune_datasets": ("tiny-b",),
            "samples_per_class": (2, 8),
            "seeds": 1,
            "batch_size": 4,
            "pretrain_steps": 8,
            "finetune_steps": 8,
            "finetune_samples_per_class": 5,
            "workers": 1,
            "out": tmp_path / "out",
            "plugins": (str(ROGUE), str(TINY)),
            **options,
        },
    )


def results(options):
    found = {}
    for cell in execute(plan(options)).cells:
        found.setdefault(cell.augmentation, []).append(cell)
    return found


def test_each_costs_its_own_cells_and_says_why(tmp_path):
    found = results(study(tmp_path, [*CRASHES, *ERRORS, *TEXTS, "mixup"]))
    for arm in ("none", "mixup"):
        assert all(cell.status == "ok" for cell in found[arm])
    for arm, words in {**CRASHES, **ERRORS, **TEXTS}.items():
        assert len(found[arm]) == 2
        for cell in found[arm]:
            assert cell.result.failure == ("crashed" if arm in CRASHES else "error"), arm
            assert words in cell.result.error
            named = f"augmentation {arm!r}" in cell.result.error
            # Who wrote into the process's pipe is found by training each cell alone.
            alone = arm == "writes" and "while this cell was trained, alone" in cell.result.error
            assert arm in TEXTS or named or alone


def test_so_does_one_that_the_first_look_does_not_find(tmp_path):
    names = ["exits:late=true", "bright:late=true"]
    found = results(study(tmp_path, [*names, "mixup"], samples_per_class=(4,), batch_size=8))
    reasons = {arm: cells[0].result.error for arm, cells in found.items()}
    assert reasons["none"] is None
    assert reasons["mixup"] is None
    assert "ended with code 0 in augmentation 'exits:late=true'" in reasons["exits:late=true"]
    assert "expected values in [0, 1]" in reasons["bright:late=true"]


def test_where_nothing_tells_whose_fault_it_is_the_pack_is_halved(tmp_path):
    found = results(study(tmp_path, ["killed"], samples_per_class=(4,)))
    assert found["none"][0].status == "ok"
    error = found["killed"][0].result.error
    assert "was killed by signal 9 (SIGKILL) while this cell was trained, alone" in error


def test_one_that_hangs_is_stopped_and_named(tmp_path):
    options = study(tmp_path, ["hangs", "mixup"], cell_timeout=1.0, samples_per_class=(2,))
    found = results(options)
    assert found["none"][0].status == found["mixup"][0].status == "ok"
    (hanging,) = found["hangs"]
    assert hanging.result.failure == "timed out"
    assert "was stopped after" in hanging.result.error
    assert "in augmentation 'hangs'" in hanging.result.error


def test_what_crashed_is_not_tried_again_by_itself(tmp_path, augbench):
    options = study(tmp_path, ["exits"], samples_per_class=(2,))
    first = execute(plan(options))
    noted = []

    class Watching:
        def __getattr__(self, name):
            return lambda *values: noted.append((name, values))

    again = execute(plan(options), Watching())
    assert [cell.result for cell in again.failed] == [cell.result for cell in first.failed]
    told = [values[0] for name, values in noted if name == "noted"]
    assert "1 cells ended their process or took too long before" in told[0]
    assert not [name for name, _ in noted if name in ("started", "finished")]


def test_without_workers_an_exit_costs_its_cells_too(tmp_path):
    found = results(study(tmp_path, ["system-exit:late=true", "mixup"], workers=0, batch_size=8))
    assert all(cell.status == "ok" for arm in ("none", "mixup") for cell in found[arm])
    for cell in found["system-exit:late=true"]:
        assert "a plugin must not end the program" in cell.result.error


def test_no_failed_cell_ends_in_0(tmp_path, augbench):
    code, _, errors = augbench(
        *("run", "--aug", "system-exit", "--no-baseline", "--plugin", str(ROGUE)),
        *("--plugin", str(TINY), "--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b"),
        *("--samples-per-class", "2", "--seeds", "1", "--workers", "0", "--n-batches-pre-train"),
        *("4", "--n-batches-finetune", "4", "--finetune-samples-per-class", "4"),
        *("--out", str(tmp_path / "out")),
    )
    assert code == 1
    assert "1 of 1 cells failed" in errors
    assert "Traceback" not in errors


def test_every_deed_is_tried_here():
    tried = {*CRASHES, *ERRORS, *TEXTS, "hangs", "killed"}
    assert tried == set(DEEDS)


@pytest.mark.parametrize("place", ["loads", "makes"])
def test_a_data_set_or_network_that_ends_its_process_is_an_error_of_the_study(tmp_path, place):
    what = {"loads": "pretrain_datasets", "makes": "backbone"}[place]
    exiting = {"loads": ("exiting",), "makes": "exiting"}[place]
    options = study(tmp_path, ["mixup"], **{what: exiting})
    with pytest.raises(ValueError, match=r"ended with code 7 in (data set|backbone) 'exiting'"):
        execute(plan(options))
