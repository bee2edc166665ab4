"""Winograd's filtering can be taken out: a copy of the package without its folder still works."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import augbench

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llvmlite") is None, reason="no llvmlite for this processor"
)

TESTS = Path(__file__).parents[1]

TRAINS = """
import torch
from torch import nn
from stepping import assert_same_numbers, cells_of
import augbench
from augbench.packed import ops
from augbench.packed.ops.plans import Plan

def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 5), nn.Flatten()
    )

torch.manual_seed(0)
assert ops.kernels_serve(torch.zeros(1)) and ops.convolution.WinogradPlan is None
assert_same_numbers(cells_of(network), torch.rand(6, 1, 16, 18))
how = ops.convolution.ConvolutionSpec((1, 1), (1, 1), 1, None, False, 32)
plan = ops.convolution._plan(torch.Size((16, 64, 14, 14)), torch.Size((64, 64, 3, 3)), how)
assert type(plan) is Plan
print(augbench.__file__)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A folder with augbench, but without `packed/winograd`, and the tests of its convolutions."""
    folder = tmp_path_factory.mktemp("copy")
    left_out = shutil.ignore_patterns("winograd", "__pycache__")
    shutil.copytree(Path(augbench.__file__).parent, folder / "augbench", ignore=left_out)
    shutil.copytree(TESTS / "support", folder / "tests" / "support")
    (folder / "tests" / "packed").mkdir()
    for name in ("conftest.py", "packed/conftest.py", "packed/test_ops.py"):
        shutil.copy(TESTS / name, folder / "tests" / name)
    return folder


def run(copy, *arguments):
    path = os.pathsep.join([str(copy), str(copy / "tests" / "support")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_networks_are_packed_on_plain_sums(copy):
    done = run(copy, "-c", TRAINS)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == copy / "augbench"


@pytest.mark.slow
def test_the_suite_of_convolutions_passes(copy):
    options = "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error"
    done = run(copy, "-m", "pytest", *options, "tests/packed/test_ops.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_another_missing_module_is_not_taken_for_a_missing_folder(copy, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(copy, broken)
    (broken / "augbench" / "packed" / "winograd").mkdir()
    (broken / "augbench" / "packed" / "winograd" / "__init__.py").write_text("import absent_module")
    done = run(broken, "-c", "import augbench.packed")
    assert "No module named 'absent_module'" in done.stderr
