"""Listing, resolving and hashing the built-in components imports nothing slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import augbench

CODE = """
import sys
from augbench.plugins import Component
assert "pluggy" not in sys.modules
from augbench.plugins import Registry
registry = Registry.load()
for kind in ("augmentation", "backbone", "dataset"):
    assert all(i.status == "ok" for i in registry.describe(kind) if i.distribution == "augbench")
registry.create(registry.resolve("augmentation", "augbench:mixup:alpha=0.4"))
registry.create(registry.resolve("backbone", "augbench:convnet"))
registry.resolve("dataset", "augbench:glyph-digits")
assert "torch" not in sys.modules
"""


def test_no_torch_is_imported() -> None:
    root = str(Path(augbench.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
