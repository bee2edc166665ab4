"""A folder of photographs on the command line: `augbench run photos`."""

from pathlib import Path

import pytest
from photographs import album

from augbench.cli._run import run_command


@pytest.fixture
def photos(tmp_path, monkeypatch, no_children):
    monkeypatch.chdir(tmp_path)
    return album("photos", {"cat": 12, "dog": 10})


@pytest.mark.parametrize(
    "words",
    [
        ["photos"],
        ["./photos/"],
        ["--dataset", "photos"],
        ["--pre-train-dataset", "./photos"],
        ["photos", "--dataset", "photos:size=30"],
    ],
)
def test_a_folder_is_planned_however_it_is_named(augbench, photos, words):
    code, out, err = augbench("run", *words, "--dry-run", "--seeds", "1")
    assert code == 0, err
    assert "pairs: photos → photos" in out
    assert "arms: none, crop-flip, mixup, crop-flip+mixup" in out
    assert "samples per class: 1, 2, 4\n" in out
    assert err.startswith("photos: 22 images in 2 classes, 10 to 12 in each\n")
    assert "test images would, as of 100 images in each of 2 classes" in err
    told = err.partition("warning: ")[0]
    assert max(map(len, told.splitlines())) <= 80


def test_the_lines_of_choices_are_few_and_name_flags(augbench, photos):
    _, _, err = augbench("run", "photos", "--dry-run", "--seeds", "1")
    choices = [line.split("  ")[-1] for line in err.splitlines() if line.startswith("  ")]
    flags = {flag for option in run_command.params for flag in option.opts}
    assert len(choices) == 5
    assert {choice.split()[0] for choice in choices} <= flags
    for choice in choices[:2]:  # values that can be given as they stand
        assert augbench("run", *choice.split(), "--dry-run", "--seeds", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "error: there is no folder or study file nowhere: expected a folder of im"),
        (["photos.zip"], "error: photos.zip is an archive: unpack it, and name the folder of im"),
        (["photos", "--dataset", "mnist"], "error: give either photos or --dataset mnist, not bo"),
        (["photos:64"], "expected key=value behind the folder, as in ./photos:size=64"),
    ],
)
def test_what_is_no_folder_is_one_line(augbench, photos, words, message):
    Path("photos.zip").write_bytes(b"PK")
    code, _, err = augbench("run", *words, "--dry-run")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_every_problem_is_a_line_of_its_own(augbench, photos):
    (photos / "cat" / "bad.jpg").write_bytes(b"nothing")
    (photos / "eel").mkdir()
    code, _, err = augbench("run", "photos", "--aug", "mixpu", "--backbone", "none")
    assert code == 2
    assert [line.split(": ")[0] for line in err.splitlines()] == ["error"] * 4
    for word in ("mixpu", "backbone 'none'", "eel holds no images", "bad.jpg cannot be read"):
        assert word in err
