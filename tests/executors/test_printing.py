"""What plugins print is told by name, never lost, and never on the standard output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from augbench.executors.isolated import Isolated
from augbench.executors.told import prints_are_told
from augbench.plugins.guard import Guard, Place
from augbench.plugins.printing import Output, lines_of
from augbench.running.printed import FILE_NAME

SUPPORT = Path(__file__).parents[1] / "support"
STUDY = [
    *("--plugin", SUPPORT / "loud.py", "--plugin", SUPPORT / "tiny.py", "--json", "--no-figures"),
    *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--batch-size", "8"),
    *("--samples-per-class", "4", "--seeds", "1", "--finetune-samples-per-class", "5"),
    *("--n-batches-pre-train", "6", "--n-batches-finetune", "4", "--engine", "reference"),
]
WAYS = {"by Python", "on the error stream", "by the descriptor", "by C"}
POSIX = pytest.mark.skipif(os.name != "posix", reason="file descriptors as POSIX has them")


@POSIX
def test_what_a_worker_prints_is_kept_under_the_name_of_who_did(augbench, tmp_path):
    code, printed, errors = augbench(
        "run", *STUDY, "--aug", "loud,quiet", "--workers", "1", "--out", tmp_path
    )
    assert code == 0
    assert json.loads(printed)["kind"] == "run"
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert {line.partition(" printed: ")[0] for line in lines} == {"augmentation 'loud'"}
    assert {line.partition(" printed: ")[2] for line in lines} == WAYS
    (told,) = [line for line in errors.splitlines() if "printed" in line]
    assert told.startswith(f"augmentation 'loud' printed {len(lines)} lines, all in {tmp_path}")
    shown = augbench(
        *("run", *STUDY, "--aug", "loud", "--workers", "1", "--verbose"),
        *("--seeds", "2", "--out", tmp_path / "other"),
    )[2]
    assert shown.count("augmentation 'loud' printed: by C") > 1


@POSIX
def test_the_last_words_of_a_worker_are_kept(augbench, tmp_path):
    augbench("run", *STUDY, "--aug", "dying", "--workers", "1", "--out", tmp_path)
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    who = "augmentation 'dying' printed: "
    assert {f"{who}farewell", f"{who}from C, without an end of the line"} <= {*lines}


def test_nothing_that_is_printed_leaves_no_file(augbench, tmp_path):
    errors = augbench("run", *STUDY, "--aug", "quiet", "--workers", "1", "--out", tmp_path)[2]
    assert " printed " not in errors
    assert not (tmp_path / FILE_NAME).exists()


def test_in_one_process_it_is_told_at_once(augbench, tmp_path):
    code, printed, errors = augbench(
        "run", *STUDY, "--aug", "loud", "--workers", "0", "--out", tmp_path
    )
    assert code == 0
    assert json.loads(printed)["kind"] == "run"
    for words in ("by Python", "on the error stream"):
        assert f"augmentation 'loud' printed: {words}\n" in errors
    # What nobody's code writes is as it was.
    assert "\n[2/2] tiny-a→tiny-b loud " in errors


def test_a_debugger_s_question_is_shown_before_its_line_ends(capsys):
    with prints_are_told():
        with Guard(Place("mixup")):
            print("(Pdb) ", end="", flush=True)
            assert capsys.readouterr() == ("", "(Pdb) ")
            print("half", end="")
        print("mine")
        print("and", file=sys.stderr)
    assert capsys.readouterr() == ("mine\n", "mixup printed: half\nand\n")


@POSIX
def test_the_standard_output_holds_the_answer_alone(tmp_path):
    """C code may print while a plugin is imported, in the process that prints the answer."""
    plugin = tmp_path / "importing.py"
    plugin.write_text("import os\nos.write(1, b'at import\\n')\nprint('by Python')\n")
    done = subprocess.run(
        [sys.executable, "-m", "augbench", "list", "corruptions", "--json", "-p", str(plugin)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)
    assert "at import\n" in done.stderr
    assert "printed 'by Python' (held back)" in done.stderr


@pytest.mark.parametrize(
    ("shows_output", "told"),
    [(True, "50 %\n"), (False, "a process that looks at plugins printed: 50 %\n")],
)
def test_a_process_of_its_own_is_told_in_a_line_or_heard_at_once(capfd, shows_output, told):
    """A download takes minutes, and its bar is of no use afterwards."""
    with Isolated("errands:shouts", "50 %", shows_output=shows_output) as child:
        assert list(child.answers()) == []
    assert capfd.readouterr() == ("", told)


@pytest.fixture
def output(tmp_path):
    with open(tmp_path / "output", "a+b", buffering=0) as file:
        yield Output(file.fileno()), file


def test_what_is_collected_is_told_once_by_whom_it_was(output):
    of, file = output
    file.write(b"one\n\ntwo\r\n")
    of.collect("mixup")
    file.write(b"\xff\x1b[2J")
    of.collect("cutmix")
    of.collect("nobody")
    mixup, cutmix = of.take()
    assert (mixup.who, mixup.lines, mixup.count) == ("mixup", ("one", "two"), 2)
    assert (cutmix.who, cutmix.lines, cutmix.end) == ("cutmix", ("\ufffd\\x1b[2J",), 15)
    assert list(of.take()) == []


def test_a_flood_is_counted_and_does_not_fill_the_disk(output):
    of, file = output
    line, found = b"x" * 999 + b"\n", []
    for _ in range(30):
        file.write(line * 100)
        of.collect("mixup")
        found += of.take()
        assert file.seek(0, os.SEEK_END) < 1.2e6
    assert sum(one.count for one in found) == 3000
    assert sum(len(one.lines) for one in found) == 100


def test_a_bar_that_is_drawn_anew_has_a_line_for_each_state():
    assert lines_of(b"10 %\r20 %\r") == ["10 %", "20 %"]
