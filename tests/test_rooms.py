"""Imports point one way, and what must stay light never imports torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import augbench

PACKAGE = Path(augbench.__file__).parent
RANK = {
    "errors": 0,
    "caching": 0,
    "statistics": 1,
    "plugins": 1,
    "augmentations": 2,
    "backbones": 2,
    "datasets": 2,
    "protocol": 3,
    "environment": 3,
    "store": 4,
    "engines": 4,
    "results": 5,
    "gallery": 5,
    "executors": 5,
    "exchange": 6,
    "reports": 6,
    "preview": 7,
    "testing": 7,
    "api": 7,
    "cli": 8,
    "__main__": 9,
}


def _imports(path):
    """Every module that a file imports at run time, inside functions too."""
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    for module in _imports(path):
        parts = module.split(".")
        if parts[0] == "augbench" and len(parts) > 1:
            assert RANK[parts[1]] <= RANK[_room(path)], f"{path.name} imports {module}"
        assert not module.startswith("augbench_"), "the core never imports a plugin"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_that_begins_with_an_underscore_is_its_own_room_s(path):
    for module in _imports(path):
        parts = module.split(".")
        if parts[0] == "augbench" and any(part.startswith("_") for part in parts[1:]):
            assert parts[1] == _room(path), f"{path.name} imports {module}"


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in FILES
        if _room(p) in ("store", "results", "statistics", "gallery", "exchange", "reports")
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_store_statistics_and_reports_never_import_torch(path):
    assert not any(module.split(".")[0] in ("torch", "torchvision") for module in _imports(path))


def test_importing_augbench_imports_nothing_slow():
    code = "import sys, augbench; print(sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
