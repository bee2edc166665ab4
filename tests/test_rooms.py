"""Imports point one way, and what must stay light never imports torch."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import augbench

PACKAGE = Path(augbench.__file__).parent
RANK = {
    "errors": 0,
    "labels": 0,
    "caching": 0,
    "streams": 0,
    "text": 0,
    "writing": 0,
    "options": 0,
    "plotting": 1,
    "statistics": 1,
    "plugins": 1,
    "operations": 2,
    "augmentations": 2,
    "backbones": 2,
    "corruptions": 2,
    "datasets": 2,
    "protocol": 3,
    "environment": 3,
    "pictures": 4,
    "packed": 0,
    "batching": 4,
    "tuning": 4,
    "training": 5,
    "store": 5,
    "executors": 5,
    "running": 6,
    "results": 6,
    "reports": 7,
    "planning": 7,
    "forecasting": 7,
    "proposing": 7,
    "progress": 7,
    "registration": 7,
    "testing": 8,
    "api": 8,
    "verifying": 8,
    "cli": 9,
    "__main__": 10,
}


UPWARDS = {("results/_shown.py", "augbench.reports.notebook")}
"""The imports of a room above: a result that is looked at asks the reports how to show itself."""


@functools.cache
def _imports(path):
    """Every module that a file imports at run time, inside functions too."""
    return tuple(_imported(path))


def _imported(path):
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for part in block.body
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            private = (a.name for a in node.names if re.match(r"_[a-z]", a.name))
            yield from (f"{node.module}.{name}" for name in private)


def _room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def _found(wrong, room=lambda name: True):
    """The pairs (file, module) for which `wrong` holds, among the files of rooms."""
    return [
        (path.relative_to(PACKAGE).as_posix(), module)
        for path in FILES
        if room(_room(path))
        for module in _imports(path)
        if wrong(path, module)
    ]


def test_imports_point_one_way():
    def upwards(path, module):
        parts = module.split(".")
        return parts[0] == "augbench" and len(parts) > 1 and RANK[parts[1]] > RANK[_room(path)]

    assert set(_found(upwards)) <= UPWARDS


def test_the_core_never_imports_a_plugin():
    assert _found(lambda path, module: module.startswith("augbench_")) == []


def test_a_module_that_begins_with_an_underscore_is_its_own_room_s():
    def reaches_behind(path, module):
        parts = module.split(".")
        private = parts[0] == "augbench" and any(part.startswith("_") for part in parts[1:])
        return private and parts[1] != _room(path)

    assert _found(reaches_behind) == []


def test_what_reads_results_never_imports_torch():
    rooms = ("store", "results", "statistics", "plotting", "reports", "tuning", "pictures")

    def heavy(path, module):
        makes_pictures = _room(path) == "pictures" and path.name == "making.py"
        return not makes_pictures and module.split(".")[0] in ("torch", "torchvision")

    assert _found(heavy, rooms.__contains__) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import augbench",
        "import augbench.options",
        "from augbench.cli import cli; cli.main(['--help'], standalone_mode=False)",
        "from augbench.cli import cli; cli.main(['run', '--help'], standalone_mode=False)",
    ],
)
def test_importing_augbench_or_asking_for_help_imports_nothing_slow(statement):
    code = (
        f"import sys; {statement}; print(sorted({{'torch', 'numpy', 'scipy'}} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_packed_package_could_be_published_by_itself():
    def outside(path, module):
        return module.split(".")[0] == "augbench" and not module.startswith("augbench.packed")

    assert _found(outside, "packed".__eq__) == []


def test_nothing_reaches_behind_the_packed_packages_public_names():
    def behind(path, module):
        return module.startswith("augbench.packed.")

    assert _found(behind, "packed".__ne__) == []


def test_the_packed_package_offers_a_dozen_names():
    import augbench.packed

    assert len(augbench.packed.__all__) <= 12
    assert all(hasattr(augbench.packed, name) for name in augbench.packed.__all__)
