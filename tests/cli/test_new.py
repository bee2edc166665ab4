import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from augbench.cli import main
from augbench.plugins.components import WORDS
from augbench.store import Store

ROOT = Path(__file__).parents[2]
TINY = str(Path(__file__).parents[1] / "support" / "tiny.py")

# Each kind, with the command that `new` proposes for it, and that command's option.
KINDS = {
    "augmentation": ("preview", "--aug"),
    "backbone": ("run", "--backbone"),
    "dataset": ("run", "--pre-train-dataset"),
    "corruption": ("list", "corruptions"),
}
_SMALL = [
    *("--plugin", TINY, "--finetune-dataset", "tiny-b", "--samples-per-class", "4"),
    *("--finetune-samples-per-class", "5", "--batch-size", "4", "--seeds", "1", "--workers", "0"),
    *("--n-batches-pre-train", "4", "--n-batches-finetune", "4", "--engine", "reference"),
    "--no-figures",
]
_TINY_A = ["--pre-train-dataset", "tiny-a"]
STUDY = {
    "augmentation": [*_SMALL, *_TINY_A],
    "backbone": [*_SMALL, *_TINY_A],
    "dataset": _SMALL,
}


@pytest.fixture
def augbench(capsys, monkeypatch, tmp_path):
    """Run the command line in an empty folder; returns (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def run(*command, folder, **environment):
    """Run a tool of this environment; its output is part of a failure."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_distribution_holds_what_a_plugin_needs(augbench, tmp_path, kind):
    code, printed, _ = augbench("new", kind, "my-own")
    assert code == 0
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "my-own/README.md",
        "my-own/pyproject.toml",
        "my-own/my_own/__init__.py",
        f"my-own/my_own/{kind}.py",
        "my-own/my_own/hooks.py",
        "my-own/my_own/py.typed",
        "my-own/tests/test_my_own.py",
    }
    assert all(f"wrote {file}" in printed for file in files)
    for file in files:
        assert not re.search("@[A-Z]+@", file + (tmp_path / file).read_text())


def test_what_new_writes_passes_the_linter_whatever_its_name(augbench, tmp_path):
    longest = [(kind, f"{kind}-as-long-as-one-can-be-x-y-z"[:29] + "x") for kind in KINDS]
    config = ["--config", str(ROOT / "pyproject.toml")]
    for kind, name in [("augmentation", "my-mix"), ("augmentation", "Deep_Cut2"), *longest]:
        augbench("new", kind, name)
        augbench("new", kind, name, "--single-file", "--out", f"single-{name}")
        folder = tmp_path / name
        written = [str(folder), *map(str, (tmp_path / f"single-{name}").glob("*.py"))]
        assert len(written) == 2
        run("ruff", "check", *config, *written, folder=folder)
        run("ruff", "check", "--isolated", *written, folder=folder)
        run("ruff", "format", "--check", *config, *written, folder=folder)


def test_what_new_writes_passes_its_own_test(augbench, tmp_path):
    for kind in KINDS:  # in one process, since each imports torch
        augbench("new", kind, f"own-{kind}")
    paths = os.pathsep.join(str(tmp_path / f"own-{kind}") for kind in KINDS)
    # The check of packing is the slow one; `augbench check` runs it below.
    options = ("-q", "-p", "no:cacheprovider", "-k", "not packed", "-rA")
    printed = run("pytest", *options, folder=tmp_path, PYTHONPATH=paths)
    for kind in KINDS:
        assert f"PASSED own-{kind}/tests/test_own_{kind}.py" in printed
    assert "failed" not in printed.splitlines()[-1]


@pytest.mark.slow  # mypy reads all of torch
@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_is_strictly_typed(augbench, tmp_path, kind):
    augbench("new", kind, "my-own")
    augbench("new", kind, "my-own", "--single-file", "--out", "single")
    run("mypy", "--strict", "my_own", "tests", folder=tmp_path / "my-own")
    run("mypy", "--strict", "my_own.py", folder=tmp_path / "single")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_passes_augbench_check(augbench, kind):
    augbench("new", kind, "my-own", "--single-file")
    code, printed, _ = augbench("check", "my_own.py")
    assert code == 0, printed
    title, *checks = printed.splitlines()
    assert title == f"{WORDS[kind]} my_own:my-own"
    assert {line.split()[0] for line in checks} <= {"passed", "skipped"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("augmentation", ["--aug", "my-own:alpha=2"]),
        ("backbone", ["--aug", "none", "--backbone", "my-own:width=4"]),
        ("dataset", ["--aug", "none", "--pre-train-dataset", "my-own:size=16"]),
    ],
)
def test_a_new_file_is_used_by_a_run_as_new_says(augbench, tmp_path, kind, options):
    _, printed, _ = augbench("new", kind, "my-own", "--single-file")
    said = printed.splitlines()[-1].split()
    assert said[:4] == ["augbench", KINDS[kind][0], "--plugin", "my_own.py"]
    assert said[4:] == [KINDS[kind][1], "my-own"]
    assert KINDS[kind][1] in options
    code, printed, errors = augbench("run", "--plugin", "my_own.py", *options, *STUDY[kind])
    assert code == 0, printed + errors
    with Store.read(tmp_path / "augbench-results") as store:
        cells = store.study().cells
    assert len(cells) == (2 if kind == "augmentation" else 1)
    assert all(cell.result.ok for cell in cells)


def test_a_new_corruption_is_listed_as_new_says(augbench):
    _, printed, _ = augbench("new", "corruption", "my-own", "--single-file")
    said = printed.splitlines()[-1].split()
    assert said == ["augbench", "list", "--plugin", "my_own.py", "corruptions"]
    code, printed, errors = augbench(*said[1:])
    assert (code, errors) == (0, "")
    assert "my-own" in printed


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [("backbone", "convnet", "a backbone"), ("dataset", "glyph-digits", "a data set")],
)
def test_a_name_is_taken_by_a_component_of_its_own_kind(augbench, tmp_path, kind, name, words):
    code, _, errors = augbench("new", kind, name)
    assert code == 2
    assert f"there is {words} '{name}' already" in errors
    assert augbench("new", "augmentation", name)[0] == 0


def test_a_kind_without_a_template_is_refused_with_those_that_have_one(augbench, tmp_path):
    code, printed, errors = augbench("new", "executor", "my-own")
    assert (code, printed) == (2, "")
    assert "'executor' is not one of 'augmentation', 'backbone', 'dataset', 'corruption'" in errors
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_ever_overwritten(augbench, tmp_path):
    (tmp_path / "my-mix").mkdir()
    (tmp_path / "my_mix.py").write_text("mine")
    for option in ([], ["--single-file"]):
        code, printed, errors = augbench("new", "augmentation", "my-mix", *option)
        assert (code, printed) == (2, "")
        assert "exists already" in errors
    assert not list((tmp_path / "my-mix").iterdir())
    assert (tmp_path / "my_mix.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my mix", "a name starts with a letter"),
        ("../up", "a name starts with a letter"),
        ("2fast", "a name starts with a letter"),
        ("my--mix", "a name starts with a letter"),
        ("a-name-that-is-longer-than-any-name", "a name starts with a letter"),
        ("", "a name starts with a letter"),
        ("mixup", "there is an augmentation 'mixup' already"),
        ("all", "there is an augmentation 'all' already"),
        ("torch", "the module 'torch', which Python has already"),
        ("lambda", "the module 'lambda', which Python has already"),
    ],
)
def test_names_that_cannot_be_used_are_one_clear_line(augbench, tmp_path, name, message):
    code, printed, errors = augbench("new", "augmentation", name)
    assert (code, printed) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_one_clear_line(augbench, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, errors = augbench("new", "augmentation", "my-mix", "--out", "file/below")
    assert code == 2
    assert errors.startswith("error: cannot write to file/below")
