import os
import subprocess
import sys
from pathlib import Path

import pytest

from augbench.cli import main

ROOT = Path(__file__).parents[2]


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


def run(*command, folder):
    """Run a tool of this environment; its output is part of a failure."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_distribution_holds_what_a_plugin_needs(augbench, tmp_path):
    code, printed, _ = augbench("new", "augmentation", "my-mix")
    assert code == 0
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "my-mix/README.md",
        "my-mix/pyproject.toml",
        "my-mix/my_mix/__init__.py",
        "my-mix/my_mix/augmentation.py",
        "my-mix/my_mix/hooks.py",
        "my-mix/my_mix/py.typed",
        "my-mix/tests/test_my_mix.py",
    }
    assert all(f"wrote {file}" in printed for file in files)
    for file in files:
        text = (tmp_path / file).read_text()
        assert not [word for word in ("@NAME@", "@MODULE@", "@CLASS@") if word in file + text]


@pytest.mark.parametrize("name", ["my-mix", "Deep_Cut2", "a-name-as-long-as-one-can-be-x"])
def test_what_new_writes_passes_its_own_test_and_the_linter(augbench, tmp_path, name):
    augbench("new", "augmentation", name)
    augbench("new", "augmentation", name, "--single-file")
    folder = tmp_path / name
    single = next(tmp_path.glob("*.py"))
    config = ["--config", str(ROOT / "pyproject.toml")]
    run("ruff", "check", *config, str(folder), str(single), folder=folder)
    run("ruff", "check", "--isolated", str(folder), str(single), folder=folder)
    run("ruff", "format", "--check", *config, str(folder), str(single), folder=folder)
    printed = run("pytest", "-q", "-p", "no:cacheprovider", folder=folder)
    assert " passed" in printed
    assert "failed" not in printed


@pytest.mark.slow  # mypy reads all of torch
def test_what_new_writes_is_strictly_typed(augbench, tmp_path):
    augbench("new", "augmentation", "my-mix")
    augbench("new", "augmentation", "my-mix", "--single-file", "--out", "single")
    run("mypy", "--strict", "my_mix", "tests", folder=tmp_path / "my-mix")
    run("mypy", "--strict", "my_mix.py", folder=tmp_path / "single")


def test_a_new_file_passes_augbench_check(augbench):
    augbench("new", "augmentation", "my-mix", "--single-file")
    code, printed, _ = augbench("check", "my_mix.py")
    assert code == 0
    assert printed.startswith("augmentation my_mix:my-mix\n")


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
