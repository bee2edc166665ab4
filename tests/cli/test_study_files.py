"""`augbench run study.toml` and `--save-study`, as docs/studies.md shows them."""

import re
from pathlib import Path

import pytest

from augbench import Options
from augbench.api import plan
from augbench.store import Store

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "study.toml"
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
TINY = Path(__file__).parents[1] / "support" / "tiny.py"
SMALL = [
    *("--samples-per-class", "1,2", "--seeds", "1", "--n-batches-finetune", "4"),
    *("--n-batches-pre-train", "4", "--finetune-samples-per-class", "4", "--workers", "0"),
    *("--engine", "reference", "--no-figures"),
]


def test_the_example_runs_in_miniature(augbench, tmp_path):
    one_size = ["1" if word == "1,2" else word for word in SMALL]
    code, _, errors = augbench("run", EXAMPLE, *one_size, "--out", tmp_path)
    assert code == 0
    assert errors.startswith("5 cells: 0 in the store, 5 to compute")
    with Store.read(tmp_path) as store:
        (study,) = [store.study()]
    labels = [arm["label"] for arm in study.description["arms"]]
    assert labels == ["none", "crop-flip", "mixup", "crop-flip+mixup:alpha=0.4", "larger rate"]
    assert study.description["settings"]["momentum"] == 0.9
    assert study.description["arms"][-1]["settings"] == {"learning_rate": 0.05}


def test_the_page_shows_the_example_and_what_is_told_of_a_wrong_file(
    augbench, tmp_path, monkeypatch
):
    example, wrong = TOML
    assert example == EXAMPLE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(wrong)
    code, printed, errors = augbench("run", "study.toml")
    assert (code, printed) == (2, "")
    (shown,) = re.findall(r"^\$ augbench run study\.toml\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert errors == shown


def test_a_saved_study_runs_on_from_the_same_store(augbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = ["--aug", "mixup", "--plugin", TINY, "--pre-train-dataset", "tiny-a", "--out", "out"]
    study += ["--finetune-dataset", "tiny-b", "--arm", "name=slow aug=mixup lr=0.001", *SMALL]
    code, printed, told = augbench("run", *study, "--save-study", "study.toml")
    assert code == 0
    assert "saved the study to study.toml" in printed
    assert "6 cells: 0 in the store, 6 to compute" in told
    again = ("run", "study.toml", "--no-figures")
    code, printed, told = augbench(*again, "--save-study", "study.toml")
    assert code == 0
    assert "6 cells: 6 in the store, 0 to compute" in told
    with Store.read(Path("out")) as store:
        assert len(store.studies()) == 1
    Path("inner").mkdir()
    code, printed, _ = augbench("run", "--dry-run", *study, "--save-study", "inner/study.toml")
    monkeypatch.chdir("inner")
    code, _, told = augbench(*again)
    assert "6 cells: 6 in the store, 0 to compute (../out)" in told
    assert code == 0


def test_a_flag_wins_over_a_file_and_is_named_as_a_flag(augbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text("seeds = 3\nsamples_per_class = [1]\nbatch_size = 9\n")
    code, printed, _ = augbench("run", "study.toml", "--dry-run", "--seeds", "2")
    assert code == 0
    assert "6 cells = 6 pretrainings" in printed
    assert "batch size: 9" in printed
    _, _, errors = augbench("run", "study.toml", "--dry-run", "--samples-per-class", "9999")
    assert errors.startswith("error: --samples-per-class 9999 is more than")
    Path("study.toml").write_text("samples_per_class = [9999]\n")
    _, _, errors = augbench("run", "study.toml", "--dry-run", "--seeds", "2")
    assert errors.startswith("error: study.toml:1:1: samples_per_class = 9999 is more than")
    monkeypatch.setenv("AUGBENCH_DATA", "from-environment")
    Path("study.toml").write_text('data_root = "from-file"\npretrain_datasets = "mnist"\n')
    assert "from-environment" in augbench("run", "study.toml", "--dry-run")[2]
    assert "from-flag" in augbench("run", "study.toml", "--dry-run", "--data-root", "from-flag")[2]


@pytest.mark.parametrize("name", ["nowhere.toml", "", "a\nb.toml", "."])
def test_a_file_that_is_not_there_is_one_line(augbench, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, printed, errors = augbench("run", name)
    assert (code, printed) == (2, "")
    assert len(errors.splitlines()) == 1


def test_python_reads_the_example():
    options = Options.from_file(EXAMPLE, seeds=2)
    planned = plan(options, out="results")
    assert planned.options.out == Path("results")
    assert len(planned.cells) == 2 * 3 * 5
