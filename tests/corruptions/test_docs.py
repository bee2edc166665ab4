"""docs/shift.md is true: its tables, its code and its commands."""

import re
import shlex
from pathlib import Path

import pytest

from augbench.corruptions.choosing import STANDARD
from augbench.corruptions.contract import operations_of
from augbench.operations import OPERATIONS
from augbench.plugins import Registry

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "shift.md").read_text()
BLOCKS = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ (augbench .*)$", TEXT, re.MULTILINE)


def rows(header):
    """The cells of the table below a header."""
    lines = TEXT[TEXT.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_the_strengths_and_operations_of_the_standard_corruptions():
    registry = Registry.load()
    found = rows("| name | what it does |")
    assert [row[0].strip("`") for row in found] == list(STANDARD)
    for name, _, *told, operations in found:
        for strength, value in enumerate(told, start=1):
            component = registry.resolve("corruption", name.strip("`"), {"strength": strength})
            corruption = registry.create(component)
            numbers = ("sigma", "share", "factor", "light", "quality", "degrees")
            (kept,) = [getattr(corruption, n) for n in numbers if hasattr(corruption, n)]
            assert float(value) == kept, name
            assert operations_of(corruption) == set(operations.split(", "))


def test_the_table_of_words_is_the_vocabulary():
    assert {word.strip("`"): meaning for word, meaning in rows("| word |")} == OPERATIONS


def test_every_python_block_runs():
    assert set(BLOCKS) == {"dusk.py", "meeting.py", "measuring.py"}
    assert len(BLOCKS) == TEXT.count("```python")
    for name in ("meeting.py", "measuring.py"):
        namespace = {}
        exec(BLOCKS[name], namespace)
    assert namespace["images"].shape == (2000, 1, 28, 28)


def test_the_example_is_the_one_in_the_repository_and_short():
    source = (ROOT / "examples" / "dusk.py").read_text()
    assert BLOCKS["dusk.py"] == source
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 15


@pytest.mark.usefixtures("few_examples")
def test_a_third_party_s_corruption_is_listed_and_checked(augbench, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert len(COMMANDS) == 2
    printed = []
    for command in COMMANDS:
        code, output, errors = augbench(*shlex.split(command)[1:])
        assert (code, errors) == (0, ""), output
        printed.append(output)
    assert re.search(r"dusk .* Only 70, 50 or 30 % of the light is left\.", printed[0])
    assert "strength" not in printed[0]  # no study sets it
    assert printed[1].startswith("corruption dusk\n")
    assert {line.split()[0] for line in printed[1].splitlines()[1:]} <= {"passed", "skipped"}
