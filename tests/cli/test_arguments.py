"""Folders as arguments, names between commas, the standard output as a file."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import fill, make_study

from augbench import Options
from augbench.cli import cli


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arguments") / "store"
    fill(folder, make_study(["mixup"], seeds=2))
    return folder


@pytest.mark.parametrize(
    "verb",
    [
        ("report", "--no-figures"),
        ("report", "--list"),
        ("status",),
        ("verify",),
        ("retry",),
    ],
)
def test_the_folder_is_an_argument_as_well_as_an_option(augbench, store, verb):
    name, *options = verb
    by_argument = augbench(name, store, *options)
    assert by_argument[0] == 0
    by_option = augbench(name, "--out", store, *options)
    if name == "report":  # whose hints name the folder as it was given
        assert by_argument[1].splitlines()[:3] == by_option[1].splitlines()[:3]
    else:
        assert by_argument == by_option
    assert augbench(name, store, "--out", store, *options)[0] == 0


def test_two_folders_of_a_run_are_one_clear_line(augbench, store, tmp_path):
    code, printed, errors = augbench("status", store, "--out", tmp_path)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: expected one folder of a run, got two")


def test_export_and_backup_take_the_folder_behind_their_own(augbench, store, tmp_path):
    assert augbench("export", tmp_path / "cells.csv", store)[0] == 0
    assert augbench("backup", tmp_path / "copy", store)[0] == 0
    assert augbench("report", tmp_path / "copy", "--no-figures")[0] == 0


def test_an_export_to_the_standard_output_is_the_file(augbench, store, tmp_path):
    for name in ("csv", "json"):
        augbench("export", tmp_path / f"cells.{name}", store)
        code, printed, errors = augbench("export", "-", store, "--format", name)
        assert (code, errors) == (0, "")
        assert printed == (tmp_path / f"cells.{name}").read_text()
    assert augbench("export", "-", store)[1] == (tmp_path / "cells.csv").read_text()
    assert len(list(csv.DictReader(io.StringIO(augbench("export", "-", store)[1])))) == 16
    assert json.loads(printed)["cells"]
    code, printed, errors = augbench("export", "-", store, "--format", "parquet")
    assert (code, printed) == (2, "")
    assert errors.startswith("error: Parquet is no text")


def test_a_page_into_a_folder_that_is_not_there_is_refused_at_once(augbench, store, tmp_path):
    code, printed, errors = augbench("report", store, "--html", tmp_path / "no" / "page.html")
    assert (code, printed) == (2, "")
    assert "there is no folder" in errors
    assert not (tmp_path / "no").exists()


def test_names_between_commas_are_several(augbench, tmp_path):
    printed = [
        augbench("run", "--dry-run", "--out", tmp_path, *arms)[1]
        for arms in (
            ("--aug", "collage,mixup:alpha=0.4"),
            ("--aug=collage", "--aug=mixup:alpha=0.4"),
        )
    ]
    assert printed[0] == printed[1]
    assert "arms: none, collage, mixup:alpha=0.4" in printed[0]


NAMES = st.sampled_from(["mixup", "crop-flip", "mixup@0.5", "crop-flip+mixup", "my_mix2", "a|b"])


@given(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(["", ":alpha=0.1,beta=2"]))
def test_commas_join_names_and_leave_parameters_alone(names, parameters):
    text = ",".join(names) + parameters
    assert Options(text).augmentations == (*names[:-1], names[-1] + parameters)


@pytest.mark.parametrize("text", ["./a,b", "a,,b", "folder:path=/x,size=3", "~/one, two/three"])
def test_paths_and_parameters_keep_their_commas(text):
    assert Options(pretrain_datasets=text).pretrain_datasets == (text,)


@pytest.mark.parametrize("verb", cli.list_commands(None))
def test_every_command_has_its_short_help(augbench, verb):
    code, printed, errors = augbench(verb, "-h")
    assert (code, errors) == (0, "")
    assert printed.startswith(f"Usage: augbench {verb} ")


def test_the_help_of_run_has_examples_that_plan(augbench, tmp_path, monkeypatch):
    lines = augbench("run", "-h")[1].split("Examples:\n")[1].split("\n\n")[0].splitlines()
    assert len(lines) == 3
    monkeypatch.chdir(tmp_path)
    for line in lines[:2]:  # the third one needs data that is not embedded
        assert augbench(*line.split()[1:], "--dry-run")[0] == 0
