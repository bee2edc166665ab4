"""docs/photos.md: its output is what is printed, its commands make plans, its numbers are right."""

import re
import shlex
from pathlib import Path

import pytest
from photographs import album

from augbench.proposing.testing import least_difference

PAGE = (Path(__file__).parents[2] / "docs" / "photos.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
    if line.endswith("--dry-run")
]


@pytest.fixture
def desk(tmp_path, monkeypatch, no_children):
    monkeypatch.chdir(tmp_path)
    album("photos", {f"class {number}": 20 for number in range(10)}, size=(48, 36))
    Path("photos", "README.txt").write_text("of last summer")


def test_the_page_shows_what_is_printed(augbench, desk):
    block, *_ = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    _, _, err = augbench("run", "photos", "--dry-run")
    assert err == block


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_s_commands_make_a_plan(augbench, desk, command):
    program, *arguments = shlex.split(command)
    assert program == "augbench"
    code, out, err = augbench(*arguments)
    assert code == 0, err
    assert "cells" in out


def test_the_table_of_least_differences_is_right():
    heads, _, points = re.findall(
        r"^\| (?:test images \| 20|--- \| ---(?: \| ---){6}|points).*$", PAGE, flags=re.MULTILINE
    )
    numbers = [
        [float(cell.replace(",", "")) for cell in row.strip("| ").split(" | ")[1:]]
        for row in (heads, points)
    ]
    for images, told in zip(*numbers, strict=True):
        assert told == pytest.approx(100 * least_difference(int(images), 8), rel=0.05)
