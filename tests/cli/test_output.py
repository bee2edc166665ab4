"""Output that cannot be written, or not as it is, ends nothing and loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import fill, make_study

from augbench.store import Store

TINY = str(Path(__file__).parent.parent / "support" / "tiny.py")
POSIX = pytest.mark.skipif(os.name != "posix", reason="file descriptors as POSIX has them")


@pytest.fixture
def store(tmp_path):
    """A store whose report has arrows, a table and a verdict."""
    fill(tmp_path / "store", make_study(["mixup", "größe"], seeds=8))
    return tmp_path / "store"


def call(*arguments, close=(), environment=None, **options):
    """Run `augbench` in a process of its own, with some of its descriptors closed."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if close:
        options["preexec_fn"] = lambda: [os.close(number) for number in close]
    return subprocess.run(
        [sys.executable, "-m", "augbench", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
        check=False,
        **options,
    )


def report(store, **options):
    return call("report", "--out", store, "--no-figures", "--full", **options)


def test_an_encoding_without_arrows_gets_what_stands_for_them(store):
    done = report(store, environment={"PYTHONIOENCODING": "cp1252"})
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("cp1252")
    assert "digits -> letters" in text
    assert "größe" in text
    assert "±" in text
    assert "+---" in text  # lines of tables


def test_a_shell_in_plain_ascii_gets_everything(store):
    done = report(store, environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""})
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("ascii")
    assert "digits -> letters" in text
    assert r"gr\xf6\xdfe" in text
    assert "+-" in text


def test_an_error_is_told_in_any_encoding(tmp_path):
    environment = {"PYTHONIOENCODING": "ascii"}
    done = call("report", "--out", tmp_path / "→", environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_to_a_full_disk_is_told_once(store):
    with open("/dev/full", "wb") as full:
        done = report(store, stdout=full)
        assert done.returncode == 1
        assert done.stderr.decode().splitlines() == [
            "error: the output could not be written (No space left on device); what was computed "
            "is kept"
        ]
        assert report(store, stdout=full, stderr=full).returncode == 1


@POSIX
def test_a_reader_that_leaves_is_no_error(store):
    reader, writer = os.pipe()
    os.close(reader)
    done = report(store, stdout=writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert report(store, stdout=writer, stderr=writer).returncode == 0
    os.close(writer)


@POSIX
@pytest.mark.parametrize("close", [(1,), (2,), (1, 2), (0, 1, 2)])
def test_closed_streams_are_no_error(store, close):
    done = report(store, close=close)
    assert done.returncode == 0
    assert done.stderr == b""


@POSIX
def test_a_working_directory_that_is_gone_is_one_line(store, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = report(store, cwd=gone, preexec_fn=lambda: os.rmdir(gone))
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: the working directory does not exist any more; change to one")


VANISHING = """
import os
from augbench import hookimpl

class Vanishing:
    sources = 1
    def __call__(self, x, *, rng):
        try:
            if len(x) > 10:  # in training: no other process still starts
                os.rmdir(os.getcwd())
        except OSError:
            pass
        return x

@hookimpl
def register_augmentations(register):
    register("vanishing", Vanishing)
"""


def study(place):
    """A study of a few seconds that is stored in a folder of `place`."""
    return [
        *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--plugin", TINY),
        *("--samples-per-class", "1,4", "--finetune-samples-per-class", "5", "--batch-size", "4"),
        *("--n-batches-pre-train", "4", "--n-batches-finetune", "4", "--seeds", "1"),
        *("--workers", "0", "--engine", "reference", "--out", place / "out"),
    ]


@POSIX
def test_a_run_goes_on_without_output_or_working_directory_and_draws_whatever_the_backend(tmp_path):
    """Of a notebook, that is; all at once, since a run takes seconds."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "vanishing.py").write_text(VANISHING)
    reader, writer = os.pipe()
    os.close(reader)
    done = call(
        *("run", "--plugin", tmp_path / "vanishing.py", "--aug", "vanishing", *study(tmp_path)),
        cwd=tmp_path / "gone",
        stdout=writer,
        environment={"MPLBACKEND": "nonsense"},
    )
    os.close(writer)
    assert not (tmp_path / "gone").exists()
    assert done.returncode == 0
    assert not any(line.startswith(b"warning") for line in done.stderr.splitlines())
    assert b"Traceback" not in done.stderr
    with Store.read(tmp_path / "out") as store:
        assert all(cell.status == "ok" for cell in store.study().cells)
    assert (tmp_path / "out" / "learning-curves-tiny-a-to-tiny-b.svg").stat().st_size > 1000


@pytest.mark.parametrize("backend", ["nonsense", "module://nowhere.at_all"])
@pytest.mark.parametrize("module", ["augbench.plotting", "augbench.pictures.drawing"])
def test_figures_from_python_need_no_backend_and_leave_the_environment(backend, module):
    code = f"import os, {module}; print(os.environ['MPLBACKEND'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", backend)
