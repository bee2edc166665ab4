"""What a run refuses, a dry run refuses with the same line, and neither leaves anything behind."""

from pathlib import Path

import pytest

from augbench.store import FILE_NAME

TINY = str(Path(__file__).parent.parent / "support" / "tiny.py")
STUDY = [
    *("--aug", "mixup", "--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b"),
    *("--plugin", TINY, "--samples-per-class", "1,4", "--finetune-samples-per-class", "5"),
    *("--n-batches-pre-train", "8", "--n-batches-finetune", "8"),
]
HUGE = str(10**15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "-1"], "--workers: expected a whole number of 0 or more, got -1"),
        (["--workers", "1000000"], "--workers: expected a whole number from 0 to 1,024, got"),
        (["--workers", "many"], "--workers: expected a whole number of 0 or more, got 'many'"),
        (["--engine", "steam"], "--engine: expected one of auto, packed, reference"),
        (["--backbone", "convnet:dropout=2"], "backbone 'convnet:dropout=2.0' cannot be made"),
        (["--device", "steam"], "--device steam cannot be used here"),
        (["--device", "cuda:97"], "--device cuda:97 cannot be used here"),
        (["--out", "file/inner"], "cannot create the folder 'file/inner' (Not a directory)"),
        (["--out", "damaged"], f"'damaged/{FILE_NAME}' is not a database, not a store of Aug"),
        (["--seeds", "1000000"], "--seeds 1000000 × 1 pairs of data sets × 4 arms, sizes, budg"),
        (["--seeds", HUGE], "--seeds: expected a whole number from 1 to 1,000,000,000, got 1000"),
        (["--seeds", "9" * 5000], "--seeds: expected a whole number of 1 or more, got '9999"),
        (["--samples-per-class", HUGE], "--samples-per-class: expected whole numbers from 1 to"),
        (["--samples-per-class", "900000000"], "--samples-per-class 900000000 is more than"),
        (["--ruler", HUGE], "--ruler: expected whole numbers from 1 to 1,000,000,000"),
        (["--finetune-samples-per-class", HUGE], "--finetune-samples-per-class: expected whole"),
        (["--n-batches-pre-train", HUGE], "--n-batches-pre-train: expected whole numbers from 1 "),
        (["--n-batches-finetune", HUGE], "--n-batches-finetune: expected a whole number from 1 to"),
        (["--batch-size", str(10**9)], "--batch-size: expected a whole number from 1 to 1,000,000"),
        (["--lr", "1" + "0" * 400], "--lr: expected a number above 0, got inf"),
        (
            ["--aug", "+".join([f"mixup:alpha={'/'.join(['0.5'] * 50)}"] * 9)],
            "'mixup:alpha=0.5/0.5/0.5/0.5/0.5/0.5/0.5/0.5/0.5/0.5/0.5/0.5/' is a grid of "
            "1,953,125,000,000,000 arms; expected at most 10,000",
        ),
        (["--root-seed", str(10**30)], "--root-seed: expected a whole number from 0 to 9,223"),
    ],
)
def test_a_dry_run_refuses_what_the_run_refuses(
    augbench, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("damaged").mkdir()
    Path("damaged", FILE_NAME).write_text("no database, and long enough to be looked at" * 50)
    study = list(STUDY)
    if arguments[0] in study:  # given once
        place = study.index(arguments[0])
        del study[place : place + 2]
    own = ["--workers", "0"] if arguments[0] != "--workers" else []
    before = sorted(Path().rglob("*"))
    code, printed, errors = augbench("run", "--dry-run", *study, *own, *arguments)
    assert (code, printed) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith(f"error: {message}")
    assert sorted(Path().rglob("*")) == before
    code, printed, told = augbench("run", *study, *own, *arguments)
    assert (code, printed) == (2, "")
    *progress, last = told.splitlines(keepends=True)
    assert last == errors
    assert not any(one.startswith(("error", "Traceback")) for one in progress)


def test_epochs_are_bounded_by_the_steps_that_they_come_to(augbench):
    study = ["20" if word == "1,4" else word for word in STUDY[:-4]]
    code, _, errors = augbench("run", "--dry-run", *study, "--epochs", "900000000")
    assert code == 2
    assert errors == (
        "error: --epochs 900000000 of 60 images are 6,300,000,000 steps; a training has at most "
        "1,000,000,000\n"
    )


def test_all_that_a_command_line_says_wrong_is_told_at_once(augbench, tmp_path):
    (tmp_path / "study.toml").write_text("seeds = 0")  # not looked at before the rest is right
    wrong = ["--lr", "fast", "--seeds", "0", "--aug", "", "--workers", "-1", "--arm", "lr"]
    code, _, errors = augbench("run", tmp_path / "study.toml", *wrong)
    assert code == 2
    lines = errors.splitlines()
    names = ["--aug", "--arm", "--seeds", "--lr", "--workers"]
    assert sorted(line.split(": ")[1] for line in lines) == sorted(names)
    code, _, errors = augbench("run", "--aug", "mixpu", "--backbone", "convent", "--base", "nne")
    assert code == 2
    assert [line.split("'")[1] for line in errors.splitlines()] == ["nne", "mixpu", "convent"]


BACKBONES = """
import os
from augbench import hookimpl

def ends(in_channels, image_size):
    print("noise on the way out")
    os._exit(0)

def raises(in_channels, image_size):
    print("noise")
    raise KeyError("no such\\nlayer")

@hookimpl
def register_backbones(register):
    register("ends", ends)
    register("raises", raises)
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ends", "a worker process ended with code 0 in backbone 'ends'; nothing can be trained"),
        ("raises", "backbone 'raises' cannot be made for images of 1×16×16"),
    ],
)
def test_a_backbone_is_tried_in_a_process_of_its_own(augbench, tmp_path, name, message):
    (tmp_path / "own.py").write_text(BACKBONES)
    plugin = ("--plugin", tmp_path / "own.py", "--backbone", name)
    code, printed, errors = augbench("run", "--dry-run", *STUDY, *plugin)
    assert code == 2
    assert printed == ""
    told, line = errors.splitlines()
    assert told.startswith(f"backbone {name!r} printed: noise")
    assert line.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("readouts", "trained"),
    [("own-head,knn", ""), ("linear,knn", " and 8 finetunings of 8 batches")],
)
def test_only_readouts_that_are_trained_count_as_finetunings(augbench, readouts, trained):
    study = ["tiny-b" if word == "tiny-a" else word for word in STUDY]  # the head's own classes
    printed = augbench("run", *study, "--readout", readouts, "--seeds", "2", "--dry-run")[1]
    assert f"16 cells = 8 pretrainings of 8 batches{trained}, 8 images each" in printed
