"""`augbench power`, and what `run` and `--dry-run` foretell."""

from pathlib import Path

import pytest
from synthetic import fill, make_study

TINY = str(Path(__file__).parent.parent / "support" / "tiny.py")
STUDY = [
    *("--aug", "mixup", "--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b"),
    *("--plugin", TINY, "--samples-per-class", "1,4", "--finetune-samples-per-class", "5"),
    *("--n-batches-pre-train", "8", "--n-batches-finetune", "8"),
]


def test_power_tells_seeds_cells_and_time(augbench, tmp_path):
    fill(tmp_path / "pilot", make_study(["mixup"], seeds=5, sizes=(1, 4)))
    code, printed, _ = augbench("power", "--pilot", tmp_path / "pilot", "--detect", "6,8")
    assert code == 0
    first, noise, uncertain, question, six, eight, time = printed.splitlines()
    assert first == "pilot: digits → letters, 5 seeds"
    assert noise.startswith("noise of a paired difference over seeds, in points: ")
    assert "by samples per class 1: " in noise
    assert uncertain == "with 5 seeds, the true noise lies between 0.6 and 2.9 times that (95%)"
    assert question.startswith("any significance takes 6 seeds; to find a difference on average")
    assert six.startswith("  6 points: ")
    assert eight.startswith("  8 points: ")
    assert time.startswith("time: from the pilot's cells, on ")


def test_without_a_pilot_the_noise_is_typical(augbench):
    code, printed, _ = augbench("power", "--detect", "20", "--at", "1", "--arms", "3")
    assert code == 0
    assert printed.startswith("typical noise, measured on glyph-digits → glyph-letters")
    assert "to find a difference at 1 a class among 3 arms, 80 times in 100:" in printed


def test_typical_noise_goes_by_the_data_sets_as_that_of_a_run_does(augbench, tmp_path):
    tiny = STUDY[2:8]
    for data, source in (((), "glyph-digits → glyph-letters"), (tiny, "MNIST → EMNIST letters")):
        printed = augbench("power", "--detect", "20", *data)[1]
        assert printed.startswith(f"typical noise, measured on {source}")
        foretold = augbench("run", "--dry-run", "--out", tmp_path, "--samples-per-class=1,4", *data)
        assert f"typical noise, of {source}" in foretold[1]
        named = "none is known of tiny-a → tiny-b, which may have another"
        assert (named in printed.splitlines()[0]) == bool(data)


def test_power_tells_where_the_test_images_bound_what_is_found(augbench, tmp_path):
    fill(tmp_path / "pilot", make_study(["mixup"], seeds=5, sizes=(1, 4)))
    images = make_study(["mixup"]).pairs[0][1].test_size
    printed = augbench("power", "--pilot", tmp_path / "pilot", "--detect", "1,30")[1]
    one, thirty = printed.splitlines()[4:6]
    assert f"; but on {images} test images it may be the luck of which they are: it takes" in one
    assert "test images" not in thirty
    # Which the answer of a study of as many seeds says too.
    answer = augbench("report", tmp_path / "pilot", "--no-figures")[1]
    assert f"{images} test images: differences under about" in answer
    plenty = augbench("power", "--detect", "5")[1]
    assert "test images" not in plenty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detect", "much"], "--detect: expected numbers with commas between them, such as 0.5"),
        (["--detect", "0"], "detect: expected differences other than 0"),
        (["--samples-per-class", "1,x"], "--samples-per-class: expected numbers with commas"),
        (["--samples-per-class", "4,1"], "sizes: expected whole, strictly increasing"),
        (["--pilot", "nowhere"], "pilot: no store at 'nowhere'; expected the folder of a run"),
    ],
)
def test_power_says_what_is_wrong_in_one_line(augbench, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, printed, errors = augbench("power", *arguments)
    assert (code, printed) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith(f"error: {message}")


def test_a_dry_run_says_that_its_seeds_are_too_few_and_can_time_itself(augbench, tmp_path):
    study = [*STUDY, "--seeds", "2", "--workers", "0", "--out", str(tmp_path / "out")]
    code, printed, _ = augbench("run", "--dry-run", *study)
    assert code == 0
    warning, time = printed.splitlines()[-2:]
    assert warning.startswith("2 seeds cannot establish any difference (the least p-value is 0.5)")
    assert time.endswith("so the time is not known: --dry-run --time measures it")
    code, printed, _ = augbench("run", "--dry-run", "--time", *study)
    assert code == 0
    assert "8 cells to compute, about " in printed.splitlines()[-1]
    assert "for some steps" in printed.splitlines()[-1]
    assert not (tmp_path / "out").exists()
    code, _, errors = augbench("run", "--time", *study)
    assert code == 2
    assert "--time is for --dry-run" in errors


def test_a_run_says_it_before_it_computes_and_not_again(augbench, tmp_path):
    study = [*STUDY, "--seeds", "1", "--workers", "0", "--out", tmp_path / "out", "--no-figures"]
    code, _, told = augbench("run", *study)
    assert code == 0
    assert told.splitlines()[1].startswith("1 seed cannot establish any difference")
    assert "cannot establish any difference (" not in augbench("run", *study)[2]


@pytest.fixture
def store(tmp_path):
    fill(tmp_path / "store", make_study(["collage", "mixup"], seeds=8), command="a")
    return tmp_path / "store"


def test_a_report_against_another_arm_is_exploratory_and_draws_nothing(augbench, store):
    code, printed, _ = augbench("report", "--out", store, "--against", "mixup", "--full")
    assert code == 0
    words = " ".join(printed.split())
    assert "none (exploratory)" in words
    assert "collage (exploratory)" in words
    assert "• mixup" not in printed
    assert "(digits → letters, against none)" in words
    short = augbench("report", "--out", store, "--against", "mixup")[1]
    assert "exploratory" in short
    assert "mixup (%)" in short
    assert not list(store.glob("*.png"))
    own = augbench("report", "--out", store, "--against", "none", "--no-figures")[1]
    assert own == augbench("report", "--out", store, "--no-figures")[1]


def test_an_arm_that_is_not_there_is_named(augbench, store):
    code, _, errors = augbench("report", "--out", store, "--against", "mixpu")
    assert code == 2
    assert errors == (
        "error: --against 'mixpu': the study has no such arm; did you mean 'mixup'? (expected one "
        "of none, collage, mixup)\n"
    )


def test_all_pairs_are_one_table(augbench, store):
    code, printed, _ = augbench("report", "--out", store, "--pairwise")
    assert code == 0
    words = " ".join(printed.split())
    assert words.startswith("digits → letters: all 3 pairs of arms, on average over 1 to 8 samples")
    assert "exploratory, paired sign flips, p-values corrected for all pairs" in words
    assert not list(store.glob("*.png"))
    code, _, errors = augbench("report", "--out", store, "--pairwise", "--against", "mixup")
    assert code == 2
    assert errors.startswith("error: --pairwise prints a table of its own, so that --against would")


def test_many_pairs_are_folded_and_few_seeds_are_told_in_one_line(augbench, tmp_path):
    arms = [f"mixup:alpha={k / 10}" for k in range(1, 13)]
    fill(tmp_path / "many", make_study(arms, seeds=8))
    code, printed, _ = augbench("report", "--out", tmp_path / "many", "--pairwise")
    assert code == 0
    assert "all 78 pairs of arms" in printed
    assert printed.count("│") <= 6 * 42  # rows of 20 pairs, in two lines each at most
    assert "other pairs that are told apart; `augbench report --against ARM`" in " ".join(
        printed.split()
    )
    fill(tmp_path / "few", make_study(arms, seeds=3))
    printed = " ".join(augbench("report", "--out", tmp_path / "few", "--pairwise")[1].split())
    assert printed.endswith("no pair can be told apart with 3 seeds; at least 6 are needed")
