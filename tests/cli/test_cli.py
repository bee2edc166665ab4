import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from augbench.cli import main
from augbench.store import FILE_NAME, Store

TINY = str(Path(__file__).parent.parent / "support" / "tiny.py")
STUDY = [
    *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--plugin", TINY),
    *("--samples-per-class", "1,4", "--finetune-samples-per-class", "5", "--batch-size", "4"),
    *("--n-batches-pre-train", "8", "--n-batches-finetune", "8", "--workers", "0"),
    *("--engine", "reference"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory, shared_cache):
    """A study that was run once: (its folder, what the run printed, its progress)."""
    out = tmp_path_factory.mktemp("done") / "out"
    printed, told = io.StringIO(), io.StringIO()
    arguments = ["run", "--aug", "mixup", "--seeds", "2", "--out", str(out), *STUDY]
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(told),
    ):
        patch.setenv("COLUMNS", "160")
        patch.setenv("AUGBENCH_CACHE", str(shared_cache))
        with pytest.raises(SystemExit) as caught:
            main(arguments)
    assert caught.value.code == 0
    return out, printed.getvalue(), told.getvalue()


def test_a_run_ends_in_a_verdict_a_table_and_a_figure(done):
    out, printed, told = done
    assert "8 cells: 0 in the store, 8 to compute" in told
    assert "[8/8] tiny-a→tiny-b" in told
    assert (
        "tiny-a → tiny-b · 2 seeds · chance 25 % · 8 steps · untuned · no base\nNothing was"
        in printed
    )
    assert f"figures in {out} · more: augbench report" in printed
    for suffix in ("png", "svg"):
        figure = out / f"learning-curves-tiny-a-to-tiny-b.{suffix}"
        assert figure.stat().st_size > 1000


def test_full_says_every_verdict_and_verbose_every_file(augbench, done):
    out, *_ = done
    again = ("run", "--aug", "mixup", "--seeds", "2", "--out", out, *STUDY)
    code, printed, _ = augbench(*again, "--full", "--verbose")
    assert code == 0
    assert "tiny-a → tiny-b\n• mixup" in printed
    assert "mixup: nothing was learnt, with it or without it" in printed  # in so few steps
    assert "n = 2 seeds; mean ± 95 % t interval" in printed
    assert f"figures in {out} are up to date" in printed
    assert "--full" not in printed


def test_a_second_run_computes_nothing_and_says_the_same(augbench, done):
    out, first, _ = done
    code, second, told = augbench("run", "--aug", "mixup", "--seeds", "2", "--out", out, *STUDY)
    assert (code, second) == (0, first)
    assert told == f"8 cells: 8 in the store, 0 to compute ({out})\n"


def test_a_report_draws_the_same_from_the_store_alone(augbench, done, tmp_path):
    out, run, _ = done
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(out / FILE_NAME, alone)
    code, report, _ = augbench("report", "--out", alone)
    assert code == 0
    said = report[: report.index("drew ")]
    assert said in run
    figure = "learning-curves-tiny-a-to-tiny-b.svg"
    assert (alone / figure).read_bytes() == (out / figure).read_bytes()


def test_the_handouts_flags_draw_training_curves_and_augmentations(augbench, tmp_path):
    code, printed, told = augbench(
        *("run", "--aug", "mixup", "--seeds", "1", "--out", tmp_path, *STUDY),
        *("--samples-per-class", "1", "--no-baseline", "--plot-train-curves"),
        *("--plot-augmentations", "--test-during-training"),
        *("--n-batches-pre-train", "500"),
    )
    assert code == 0
    assert printed.index("augmentation-mixup.png") < printed.index("tiny-a → tiny-b")
    assert "[1/1]" in told
    assert len(list((tmp_path / "train-curves").glob("*.png"))) == 1
    with Store.read(tmp_path) as store:
        curve = store.study().cells[0].result.curves["pretrain"]
    assert curve.test_step == (500,)
    assert curve.step[-1] == 500


def test_a_dry_run_shows_the_plan_and_computes_nothing(augbench, tmp_path):
    out = tmp_path / "out"
    code, printed, _ = augbench("run", "--dry-run", "--out", out, *STUDY)
    assert code == 0
    assert "48 cells = 48 pretrainings of 8 batches" in printed
    assert not out.exists()


def test_a_failed_cell_makes_the_exit_code_1_and_is_named(augbench, tmp_path):
    code, printed, errors = augbench(
        *("run", "--aug", "breaks", "--seeds", "1", "--out", tmp_path, *STUDY),
        *("--n-batches-pre-train", "2", "--n-batches-finetune", "2", "--no-figures"),
    )
    assert code == 1
    assert "of 4 cells 2 failed, and are left out" in printed
    assert "RuntimeError: the chain came off" in errors
    assert errors.splitlines()[-1].startswith("error: 2 of 4 cells failed")
    assert "Traceback" not in printed + errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--aug", "mixpu"], "did you mean 'mixup'"),
        (["run", "--aug", "mixup:alpha"], "alpha"),
        (["run", "--samples-per-class", "0"], "expected whole numbers of 1 or more"),
        (["run", "--samples-per-class", "1,x"], "expected whole numbers of 1 or more"),
        (["run", "--seeds", "0"], "--seeds: expected a whole number of 1 or more, got 0"),
        (["run", "--pre-train-dataset", "mnist", "--data-root", "/nowhere"], "--download"),
        (["run", "--plugin", "nowhere.py"], "nowhere.py"),
        (["report", "--out", "nowhere"], "no store at"),
        (["preview", "--aug", "mixup", "--columns", "1"], "--columns 2 or more"),
        (["list", "augmentatoins"], "augmentations"),
        (["rnu"], "did you mean 'run'"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    augbench, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUGBENCH_DATA", raising=False)
    code, printed, errors = augbench(*arguments)
    assert code == 2
    assert message in errors
    assert "Traceback" not in printed + errors
    (line,) = [line for line in errors.lower().splitlines() if line.startswith("error:")]
    assert line


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_cell_names_the_flag_that_helps(augbench, tmp_path, workers):
    small = ("--seeds", "1", "--no-baseline", "--lr", "1e30", *STUDY, "--workers", workers)
    run = ("run", "--aug", "mixup", "--out", tmp_path, *small, "--no-figures")
    code, _, errors = augbench(*run)
    assert code == 1
    assert "diverged" in errors
    assert "try a smaller --lr" in errors


def test_an_unwritable_folder_is_one_clear_line(augbench, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, errors = augbench("run", "--out", tmp_path / "file" / "out", *STUDY)
    assert code == 2
    assert "name a writable one with --out" in errors


@pytest.mark.usefixtures("only_built_in")
def test_lists_name_parameters_and_defaults(augbench):
    code, printed, _ = augbench("list", "augmentations")
    assert code == 0
    assert "alpha: float = 0.3" in printed
    code, printed, _ = augbench("list", "backbones", "--json")
    (convnet,) = json.loads(printed)
    assert convnet["name"] == "convnet"
    assert convnet["parameters"][0]["default"] == 0.5
    code, printed, _ = augbench("list", "datasets")
    assert "glyph-letters" in printed


def test_plugins_are_listed_with_their_status(augbench):
    code, printed, _ = augbench("plugins", "--plugin", TINY, "--json")
    assert code == 0
    found = {plugin["distribution"]: plugin for plugin in json.loads(printed)}
    assert found["augbench"]["status"] == found["tiny"]["status"] == "loaded"
    assert "tiny" in augbench("plugins", "--plugin", TINY)[1]


def test_a_preview_draws_each_augmentation(augbench, tmp_path):
    code, printed, _ = augbench(
        *("preview", "--aug", "none", "--aug", "mixup:alpha=0.4", "--columns", "4"),
        *("--dataset", "tiny-a", "--plugin", TINY, "--out", tmp_path),
    )
    assert code == 0
    assert len(printed.splitlines()) == 6  # PNG, SVG and PDF
    assert (tmp_path / "augmentation-mixup_alpha=0.4.svg").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["list", "augmentations"],
        ["list", "backbones"],
        ["list", "datasets"],
        ["plugins"],
        ["run", "--dry-run"],
        ["report", "--out", "OUT"],
    ],
)
def test_nothing_imports_torch_until_something_trains(done, arguments):
    slow = {"torch", "scipy"}
    if "OUT" in arguments:
        arguments = ["report", "--out", str(done[0])]
        slow = {"torch", "scipy.stats"}  # statistics need scipy.special, which loads fast
    code = (
        "import sys, augbench.cli\n"
        f"try: augbench.cli.main({arguments!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"assert not {slow} & set(sys.modules)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL
    )


@pytest.fixture
def leaking(tmp_path):
    """A folder whose test images are its training images."""
    for part in ("train", "test"):
        for k, name in enumerate(("cat", "dog")):
            path = tmp_path / "images" / part / name / "0.png"
            path.parent.mkdir(parents=True)
            Image.linear_gradient("L").rotate(90 * k).save(path)
    return tmp_path / "images"


def test_what_is_doubtful_about_the_data_is_said_once_on_the_error_stream(
    augbench, tmp_path, leaking
):
    spec = f"folder:{leaking},size=16"
    line = (
        "warning: data set 'images': 2 of 2 test images are training "
        "images too, pixel by pixel: accuracies come out too high; take them out of one part\n"
    )
    study = [
        *("--pre-train-dataset", spec, "--finetune-dataset", spec, "--samples-per-class", "1"),
        *("--finetune-samples-per-class", "1", "--n-batches-pre-train", "2", "--workers", "0"),
        *("--n-batches-finetune", "2", "--seeds", "1", "--out", tmp_path / "out"),
    ]
    preview = ("preview", "--aug", "mixup", "--dataset", spec, "--columns", "2")
    for arguments in (
        ("run", *study, "--dry-run"),
        ("run", *study, "--no-figures"),
        ("run", *study, "--no-figures"),  # nothing is loaded, and the warning is remembered
        (*preview, "--out", tmp_path / "drawn"),
    ):
        code, printed, errors = augbench(*arguments)
        assert code == 0
        assert errors.startswith(line)
        assert "warning" not in printed + errors.removeprefix(line)
