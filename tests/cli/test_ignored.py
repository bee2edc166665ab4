"""No option and no argument of a command is dropped without a word."""

import pytest
from synthetic import fill, make_study


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ignored") / "store"
    fill(folder, make_study(["mixup"], seeds=3))
    return folder


def refused(augbench, *arguments):
    """The one line with which a command is refused before it does anything."""
    code, printed, errors = augbench(*arguments)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("error: ")
    return errors


@pytest.mark.parametrize(
    ("flag", "others"),
    [
        ("--json", ["--full"]),
        ("--no-figures", ["--plot-train-curves", "--figure-width=column"]),
        ("--pairwise", ["--json", "--full", "--against=mixup", "--html=page.html"]),
        ("--pairwise", ["--plot-train-curves", "--figure-width=page"]),
        ("--against=mixup", ["--plot-train-curves", "--figure-width=column"]),
        ("--list", ["--json", "--full", "--study=1", "--pairwise", "--html=page.html"]),
        ("--list", ["--metric=nll", "--readout=knn", "--finetune-samples=8", "--confidence=0.9"]),
        ("--list", ["--tuned"]),
        ("--list", ["--default"]),
    ],
)
def test_a_report_refuses_what_it_would_ignore(augbench, store, flag, others):
    for other in others:
        errors = refused(augbench, "report", store, flag, other)
        assert f"{other.partition('=')[0]} would do nothing" in errors


def test_every_option_of_a_report_is_listed_or_refused_beside_a_list(augbench, store):
    from augbench.cli._report import report_command

    kept = {"list_studies", "no_figures", "out"}  # which do as they say there
    values = {"html": "p.html", "metric": "nll", "readout": "knn", "figure_width": "page"}
    for option in report_command.params:
        if option.param_type_name == "argument" or option.name in kept:
            continue
        value = [] if option.is_flag else [values.get(option.name, "1")]
        refused(augbench, "report", store, "--list", option.opts[0], *value)


@pytest.mark.parametrize(
    ("flag", "other"),
    [
        ("--json", "--full"),
        ("--no-figures", "--plot-train-curves"),
        ("--no-figures", "--figure-width=column"),
    ],
)
def test_a_run_refuses_what_it_would_ignore(augbench, tmp_path, flag, other):
    errors = refused(augbench, "run", "--out", tmp_path / "out", flag, other)
    assert f"{other.partition('=')[0]} would do nothing" in errors
    assert not (tmp_path / "out").exists()


def test_options_of_what_is_not_done_are_refused(augbench, store):
    for option in ("--study=1", "--plugin=a.py", "--strict-plugins", "--data-root=data"):
        errors = refused(augbench, "verify", store, option)
        assert f"{option.partition('=')[0]} would do nothing without --recompute" in errors
    for option in ("--study=1", "--workers=2"):
        errors = refused(augbench, "power", option)
        assert f"{option.partition('=')[0]} would do nothing without --pilot" in errors


def test_what_the_environment_says_is_no_option_of_the_command(augbench, store, monkeypatch):
    monkeypatch.setenv("AUGBENCH_DATA", "somewhere")
    assert augbench("verify", store)[0] == 0


@pytest.mark.parametrize(
    ("option", "first", "second"),
    [("--seeds", "3", "4"), ("--lr", "0.1", "0.2"), ("--base", "mixup", "crop-flip")],
)
def test_the_last_of_two_values_counts_and_the_other_is_told(
    augbench, tmp_path, option, first, second
):
    run = ("run", "--dry-run", "--out", tmp_path)
    alone = augbench(*run, option, second)
    _, printed, errors = augbench(*run, option, first, f"{option}={second}")
    assert printed == alone[1]
    lines = errors.splitlines()
    assert lines[0] == (
        f"warning: {option} is given more than once, as {first} and {second}: only {second} counts"
    )
    assert lines[1:] == alone[2].splitlines()


def test_values_that_belong_between_commas_are_shown_so(augbench, tmp_path):
    words = ("--readout", "linear", "--readout=knn")
    errors = augbench("run", "--dry-run", "--out", tmp_path, *words)[2]
    assert "only knn counts; several stand between commas, as in --readout linear,knn" in errors


def test_two_data_sets_of_another_command_are_told_too(augbench):
    words = ("--dataset", "glyph-letters", "--dataset", "glyph-digits", "--detect", "9")
    code, _, errors = augbench("power", *words)
    assert code == 0
    assert errors.startswith("warning: --dataset is given more than once, as glyph-letters and gl")


def test_the_same_value_twice_is_that_value(augbench, tmp_path):
    once = augbench("run", "--dry-run", "--out", tmp_path, "--seeds", "3")
    assert once == augbench("run", "--dry-run", "--out", tmp_path, "--seeds=3", "--seeds", "3")


def test_two_folders_of_images_are_one_line_that_says_what_to_do(augbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clothes", "hands"):
        (tmp_path / name).mkdir()
    both = "augbench run --pre-train-dataset clothes --pre-train-dataset hands"
    for arguments in (("clothes", "hands"), ("--dataset", "clothes", "--dataset", "hands")):
        errors = refused(augbench, "run", *arguments)
        assert both in errors
        assert "augbench run clothes --out clothes-results" in errors
    (tmp_path / "my photos").mkdir()
    errors = refused(augbench, "run", "my photos", "hands")
    assert "augbench run 'my photos' --out 'my photos-results'" in errors
    errors = refused(augbench, "run", "one.toml", "other.toml")
    assert "expected one folder or study file, got 2" in errors


@pytest.mark.parametrize("verb", [("report",), ("status",), ("verify",), ("retry",)])
def test_two_folders_of_runs_are_one_line_that_says_what_to_do(augbench, store, verb):
    errors = refused(augbench, *verb, store, "other")
    assert f"augbench compare {store} other" in errors
