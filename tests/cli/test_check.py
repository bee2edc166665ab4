import json
import sys
from pathlib import Path

import pytest

from augbench.cli import main

SUPPORT = Path(__file__).parent.parent / "support"
BROKEN = str(SUPPORT / "broken.py")


@pytest.fixture
def augbench(capsys, monkeypatch, tmp_path):
    """Run the command line in an empty folder; returns (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUGBENCH_DATA", raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["augbench", *arguments])
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


@pytest.mark.usefixtures("few_examples")
def test_a_component_that_conforms_is_one_line_a_check_and_exit_code_0(augbench, tmp_path):
    code, printed, errors = augbench("check", "mixup:alpha=0.4")
    assert (code, errors) == (0, "")
    title, *lines = printed.splitlines()
    assert title == "augmentation mixup:alpha=0.4"
    assert {line.split()[0] for line in lines} == {"passed", "skipped"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_told_in_words_with_the_smallest_example(augbench):
    code, printed, errors = augbench("check", "broken:shares", "-p", BROKEN)
    assert code == 1
    (line,) = [line for line in printed.splitlines() if line.lstrip().startswith("failed")]
    assert "the weights of row 0 are (" in line
    assert "its sources' shares of the pixels are (" in line
    assert line.endswith("smallest: Case(n=1, channels=1, height=8, width=8, seed=0)")
    assert errors == "error: 1 of 1 checked do not conform: broken:shares\n"


@pytest.mark.usefixtures("few_examples")
def test_results_can_be_had_as_json(augbench):
    code, printed, _ = augbench("check", "collage", "glyph-digits", "--json")
    assert code == 0
    collage, digits = json.loads(printed)
    assert (collage["kind"], collage["name"], collage["ok"]) == ("augmentation", "collage", True)
    assert {"check": "leakage", "status": "passed"}.items() <= digits["results"][3].items()


@pytest.mark.usefixtures("few_examples")
@pytest.mark.parametrize("arguments", [("-p", "FILE"), ("FILE",), ("one", "-p", "FILE")])
def test_a_plugin_alone_means_all_that_it_registers(augbench, tmp_path, arguments):
    (tmp_path / "one.py").write_text(
        "from augbench import hookimpl\n"
        "from augbench.augmentations.collage import Collage\n"
        "from augbench.datasets.glyphs import glyph_digits\n\n"
        "@hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('first', Collage)\n\n"
        "@hookimpl\n"
        "def register_datasets(register):\n"
        "    register('second', glyph_digits)\n"
    )
    path = str(tmp_path / "one.py")
    code, printed, _ = augbench("check", *(path if a == "FILE" else a for a in arguments))
    assert code == 0
    titles = [line for line in printed.splitlines() if not line.startswith(" ")]
    assert titles == ["augmentation one:first", "data set one:second"]


def test_an_expected_failure_is_no_failure_and_an_unexpected_pass_is_one(augbench):
    code, printed, _ = augbench(
        *("check", "broken:draws", "-p", BROKEN, "--expect-failure", "draws=one for all")
    )
    assert code == 0
    assert "expected failure  draws" in printed
    code, printed, _ = augbench("check", "collage", "--expect-failure", "rows=mixes the batch")
    assert code == 1
    assert "unexpected pass   rows" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name what to check"),
        (["collag"], "there is no 'collag'; did you mean 'collage'? (augmentations: collage"),
        (["convnt"], "did you mean 'convnet'"),
        (["mixup:alpha=x"], "parameter 'alpha' expects float"),
        (["serial"], "executors have no checks"),
        (["collage", "--expect-failure", "rows"], "expected CHECK=REASON"),
        (["collage", "--expect-failure", "row=x"], "did you mean 'rows'"),
        (["collage", "mixup", "--expect-failure", "rows=x"], "for one component"),
        (["nowhere.py"], "no such file"),
    ],
)
@pytest.mark.usefixtures("only_built_in")
def test_what_cannot_be_checked_is_one_clear_line(augbench, arguments, message):
    code, printed, errors = augbench("check", *arguments)
    assert (code, printed) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_a_plugin_that_registers_nothing_is_an_error(augbench, tmp_path):
    (tmp_path / "empty.py").write_text("")
    code, _, errors = augbench("check", "empty.py")
    assert code == 2
    assert "there is nothing to check" in errors


def test_a_plugin_that_fails_to_load_is_told(augbench, tmp_path):
    (tmp_path / "bad.py").write_text("import nowhere_at_all\n")
    code, _, errors = augbench("check", "bad.py")
    assert code == 1
    assert "failed to load: ModuleNotFoundError: No module named 'nowhere_at_all'" in errors


CLASH = """
from augbench import hookimpl
from augbench.augmentations.none import NoAugmentation


def half(x_i, x_j, *, rng):
    return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)


@hookimpl
def register_augmentations(register):
    register("mixup", NoAugmentation)
"""


@pytest.mark.usefixtures("few_examples")
@pytest.mark.parametrize(
    "arguments", [("check",), ("preview", "--aug", "clash:mixup", "--columns", "2", "--plugin")]
)
def test_a_name_that_is_taken_is_told(augbench, tmp_path, arguments):
    (tmp_path / "clash.py").write_text(CLASH)
    code, _, errors = augbench(*arguments, "clash.py")
    assert code == 0
    assert errors == (
        "warning: plugin 'clash' (clash): 'mixup' is a built-in augmentation: this one is "
        "'clash:mixup'\n"
    )


@pytest.mark.parametrize("factory", ["half", "'other_functions:half'"])
def test_a_function_registered_as_an_augmentation_is_told(augbench, tmp_path, monkeypatch, factory):
    (tmp_path / "other_functions.py").write_text(CLASH)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "other_functions", raising=False)
    source = CLASH.replace("'mixup', NoAugmentation".replace("'", '"'), f'"half", {factory}')
    (tmp_path / "functions.py").write_text(source)
    code, printed, errors = augbench("check", "functions.py")
    assert code == 1
    told = "augmentation 'functions:half': expected a class, whose objects are called with images"
    assert told in printed
    assert len(errors.splitlines()) == 1
    code, _, errors = augbench("run", "--aug", "half", "--plugin", "functions.py", "--dry-run")
    assert code == 1
    assert told in errors
    assert "Traceback" not in errors


@pytest.mark.usefixtures("few_examples")
def test_a_component_that_cannot_be_made_does_not_end_the_check_of_the_others(augbench, tmp_path):
    (tmp_path / "three.py").write_text(
        "from augbench import hookimpl\n"
        "from augbench.augmentations.none import NoAugmentation\n\n"
        "class Refuses(NoAugmentation):\n"
        "    def __init__(self, size: int = 0):\n"
        "        raise ValueError('size must be above 0')\n\n"
        "class Exits(NoAugmentation):\n"
        "    def __call__(self, x, *, rng):\n"
        "        raise SystemExit('bye')\n\n"
        "@hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('refuses', Refuses)\n"
        "    register('exits', Exits)\n"
        "    register('sound', NoAugmentation)\n"
    )
    code, printed, errors = augbench("check", "three.py")
    assert code == 1
    assert errors == "error: 2 of 3 checked do not conform: three:refuses, three:exits\n"
    assert "'refuses': size must be above 0" in printed
    assert "raises SystemExit: bye" in printed
