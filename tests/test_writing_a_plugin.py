"""docs/writing-a-plugin.md is what happens."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from augbench.cli._new import _filled, _words
from augbench.cli._templates import TEMPLATES
from augbench.testing import check_augmentation
from augbench.testing.augmentations import AUGMENTATION_CHECKS
from augbench.testing.backbones import BACKBONE_CHECKS
from augbench.testing.corruptions import CORRUPTION_CHECKS
from augbench.testing.datasets import DATASET_CHECKS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "writing-a-plugin.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
TEMPLATE = TEMPLATES["augmentation"]
(DIFF,) = (text for kind, text in BLOCKS if kind == "diff")


def commands():
    """Every command in order, with the lines that it prints; the diff as a command of its own."""
    for kind, text in BLOCKS:
        if kind == "diff":
            yield "edit", []
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *lines = part.splitlines()
                yield command, lines


def edited(source):
    """The source with the page's mistake in it."""
    before, after = (
        "".join(re.findall(rf"^{sign}(.*\n)", DIFF, re.MULTILINE)) for sign in ("-", r"\+")
    )
    assert before in source
    return source.replace(before, after)


def assert_shown(shown, printed, *, masked=False):
    """`...` stands for any lines; where masked, numbers may differ."""

    def form(line):
        line = line.rstrip()
        return re.sub(r"\d+(\.\d+)?", "0", line) if masked else line

    text = "\n".join(map(form, shown)).removeprefix("...\n").removesuffix("\n...")
    parts = text.split("\n...\n")
    rest = "\n".join(map(form, printed.splitlines()))
    for part in parts:
        assert part in rest, f"{part}\n--- is not in ---\n{rest}"
        rest = rest[rest.index(part) + len(part) :]


def module_of(name, path, text):
    """A module whose source is at `path`."""
    import importlib.util

    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_class_and_the_test_shown_are_those_that_new_writes():
    words = _words(TEMPLATE, "my-mix")
    files = TEMPLATE.distribution()
    written = _filled(files["@MODULE@/augmentation.py"], words)
    assert PYTHON[0] in written
    test = _filled(files["tests/test_@MODULE@.py"], words)
    imports, function = PYTHON[2].split("\n\n\n")
    assert function in test
    assert all(line in test for line in imports.splitlines())
    edited(written)


def test_the_checks_shown_are_what_the_kit_says(tmp_path):
    written = TEMPLATE.distribution()["@MODULE@/augmentation.py"]
    written = _filled(written, _words(TEMPLATE, "my-mix"))
    shown = [lines for command, lines in commands() if command == "augbench check my-mix"]
    for k, source in enumerate([written, edited(written)]):
        module = module_of(f"shown_{k}", tmp_path / f"shown_{k}.py", source)
        report = str(check_augmentation(module.MyMix)).replace("MyMix", "my-mix")
        assert_shown([line for line in shown[k] if not line.startswith("error:")], report)
    namespace = {"MyMix": module.MyMix}
    exec(PYTHON[1], namespace)
    assert namespace["image"].shape == (1, 1, 8, 8)


def test_the_tables_of_checks_are_complete():
    rows = re.findall(r"^\| `(\S+)` \| (.*) \|$", TEXT, re.MULTILINE)
    checks = (*AUGMENTATION_CHECKS, *BACKBONE_CHECKS, *DATASET_CHECKS, *CORRUPTION_CHECKS)
    assert rows == [(check.name, check.about) for check in checks]


@pytest.fixture
def fresh(tmp_path):
    """A new environment that sees AugBench and its dependencies, and nothing of `my-mix`."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    site = next((tmp_path / "fresh").glob("lib/python*/site-packages"))
    packages = sysconfig.get_paths()["purelib"]
    (site / "base.pth").write_text(f"import site; site.addsitedir({packages!r})\n")
    folder = tmp_path / "fresh" / "bin"
    for tool in ("augbench", "pytest"):
        script = f'#!/bin/sh\nexec "{folder}/python" -m {tool} "$@"\n'
        (folder / tool).write_text(script)
        (folder / tool).chmod(0o755)
    return folder


@pytest.mark.slow  # a new environment, and a small study
def test_the_page_walked_from_top_to_bottom_in_a_fresh_environment(fresh, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    source = folder / "my-mix" / "my_mix" / "augmentation.py"
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AUGBENCH_DATA")},
        "PATH": f"{fresh}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "160",
    }
    offline = "pip install --quiet --no-deps --no-build-isolation --no-index"
    original = ""
    for command, lines in commands():
        if command == "pip install . pytest":
            continue  # it is what is being tested
        if command == "edit":
            original = source.read_text()
            source.write_text(edited(original))
            continue
        done = subprocess.run(
            command.replace("pip install", offline),
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in the order in which a terminal shows them
            text=True,
        )
        printed = done.stdout
        wrong = any(line.startswith("error:") for line in lines)
        assert done.returncode == (1 if wrong else 0), printed
        numbers = command.startswith(("augbench run", "pytest"))
        assert_shown(lines, printed, masked=numbers)
        if wrong:
            source.write_text(original)
