"""docs/datasets.md: every built-in data set is there, and every command is accepted."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from augbench.datasets import glyphs
from augbench.datasets.contract import Dataset

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
]


def idx(*shape):
    return bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A working directory with photos/, and black images for MNIST and EMNIST in data/."""
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(20):
            Image.new("RGB", (9, 7), (k, k, k)).save(tmp_path / "photos" / name / f"{k}.png")
    for folder, stems, classes in (
        ("MNIST", ("train", "t10k"), range(10)),
        ("EMNIST", ("emnist-letters-train", "emnist-letters-test"), range(1, 27)),
    ):
        raw = tmp_path / "data" / folder / "raw"
        raw.mkdir(parents=True)
        labels = bytes(classes) * 256
        for stem in stems:
            pixels = idx(len(labels), 28, 28) + bytes(len(labels) * 784)
            (raw / f"{stem}-images-idx3-ubyte").write_bytes(pixels)
            (raw / f"{stem}-labels-idx1-ubyte").write_bytes(idx(len(labels)) + labels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("no_children")  # each of which would import torchvision
@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_s_commands_make_a_plan(desk, command):
    from click.testing import CliRunner

    from augbench.cli import cli

    program, *arguments = shlex.split(command)
    assert program == "augbench"
    assert arguments[-1] == "--dry-run"
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "cells" in result.output


def test_the_page_names_every_built_in_data_set():
    from augbench.plugins import builtin

    names = []
    builtin.register_datasets(lambda name, factory: names.append(name))
    assert len(names) == 13
    assert [name for name in names if f"`{name}" not in PAGE] == []


@pytest.mark.parametrize("which", [glyphs.DIGITS, glyphs.LETTERS])
def test_the_page_s_counts_of_glyphs_are_right(which):
    dataset: Dataset = glyphs._load(which)
    train, test = len(dataset.train_labels), len(dataset.test_labels)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{which.name}`"))
    assert f"| {len(dataset.classes)} | {train:,} / {test:,} |" in row
    assert len(glyphs._read_atlas()[which.part]) == 19  # styles
