"""Compiled functions are called by name; what they could not read is refused, in one place."""

import importlib.util
import re

import pytest
import torch
from torch.nn import functional as F

from augbench.packed import ops
from augbench.packed.ops.copying import copy
from augbench.packed.ops.layout import call, kernels
from augbench.packed.tape import Tape

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llvmlite") is None, reason="no llvmlite for this processor"
)


def arguments(**other):
    """Those of a maximum over 2×2 windows of one map of 4×6 pixels, for a batch of 8."""
    image = torch.arange(192.0).view(1, 4, 6, 8)
    given = {
        "out": torch.empty(1, 2, 3, 8),
        "place": torch.empty(1, 2, 3, 8, dtype=torch.uint8),
        "source": image,
    }
    sizes = {"planes": 1, "plane": 192, "row": 48, "rows": 2, "columns": 3, "batch": 8}
    return {**given, **sizes, **other}


def test_the_order_in_which_arguments_are_written_does_not_matter():
    given = arguments()
    call(kernels().pool((2, 2), 32), **dict(reversed(given.items())))
    wanted = F.max_pool2d(given["source"].permute(3, 0, 1, 2), 2)
    assert torch.equal(given["out"].permute(3, 0, 1, 2), wanted)


IMAGE, PLACE = torch.ones(1, 4, 6, 8), torch.ones(1, 2, 3, 8)


@pytest.mark.parametrize(
    ("other", "error", "text"),
    [
        ({"source": IMAGE.double()}, TypeError, "source has to be of float32, not float64"),
        ({"place": PLACE.long()}, TypeError, "place has to be of uint8, not int64"),
        ({"source": [1.0]}, TypeError, "source has to be a tensor, not list"),
        ({"rows": 2.0}, TypeError, "rows has to be an int, not float"),
        ({"rows": torch.tensor(2)}, TypeError, "rows has to be an int, not Tensor"),
        ({"rows": None}, TypeError, "missing: rows"),
        ({"source": None}, TypeError, "missing: source"),
        ({"bias": torch.ones(1)}, TypeError, "unknown: bias"),
        ({"rows": None, "lines": 2}, TypeError, "missing: rows; unknown: lines"),
        ({"place": None, "lines": 2}, TypeError, "missing: place; unknown: lines"),
        (
            {"source": torch.ones(1, 4, 6, 16)[..., ::2]},
            ValueError,
            "source has to be contiguous, but its shape (1, 4, 6, 8) has strides (384, 96, 16, 2)",
        ),
        # A map whose batch does not lie last is one of other strides, too.
        (
            {"out": PLACE.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)},
            ValueError,
            "out has",
        ),
        ({"out": PLACE.to("meta")}, ValueError, "on the CPU, not on meta"),
    ],
)
def test_a_kernel_refuses_what_it_would_read_amiss(other, error, text):
    given = arguments(**other)
    with Tape() as tape, pytest.raises(error, match=re.escape(text)):
        call(kernels().pool((2, 2), 32), **given)
    tape.replay()  # nothing of a refused call is on the tape


def test_memory_with_gaps_is_only_for_kernels_that_are_told_of_them():
    source = torch.rand(2, 3, 4, 16)
    out = torch.zeros(2, 3, 4, 8)
    copy(out, source[..., 8:])  # rows that lie apart
    assert torch.equal(out, source[..., 8:])
    with pytest.raises(ValueError, match="source has to be contiguous in its last dimension"):
        copy(out, source[..., ::2])


def test_statistics_that_do_not_lie_side_by_side_are_left_to_torch():
    x, counter = torch.rand(4, 3, 5, 5), torch.tensor(0)
    mean, variance = torch.zeros(3, 2)[:, 0], torch.ones(3)
    assert ops.batch_norm(x, None, None, 1e-5, running=(mean, variance, counter)) is None
    assert ops.batch_norm(x, None, None, 1e-5, running=(mean + 0, variance, counter)) is not None


def test_every_kernel_names_each_argument_once():
    signature = kernels().convolve(1, 3, True, False, 64).signature
    assert len(set(signature.names)) == len(signature.names)
    assert {one.name: one.dtype for one in signature.pointers}["taps"] == "int64"
    assert {one.name: one.dtype for one in signature.pointers}["source"] == "float64"
    assert type(signature).from_json(signature.to_json()) == signature
