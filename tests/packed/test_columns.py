"""Convolutions as batched products: torch's own convolution, by another way, on any device."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from augbench.packed.ops.columns import convolve

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


# The first product in autograd's own thread finds no CUDA context there, and makes it.
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS")
@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=40, deadline=None)
@given(
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    batch=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2),
    biased=st.booleans(),
)
def test_values_and_gradients_are_those_of_torchs_convolution(
    device, groups, channels, batch, kernel, stride, padding, dilation, biased
):
    own, made = channels
    x = torch.randn(batch, groups * own, 7, 6, dtype=torch.float64, device=device)
    weight = torch.randn(groups * made, own, *kernel, dtype=torch.float64, device=device)
    bias = torch.randn(groups * made, dtype=torch.float64, device=device) if biased else None
    wanted = [one.requires_grad_() for one in (x, weight, bias) if one is not None]
    plain = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    ours = convolve(
        *(x, weight, bias),
        stride=stride,
        padding=padding,
        dilation=(dilation, dilation),
        groups=groups,
    )
    torch.testing.assert_close(ours, plain)
    slopes = torch.randn_like(plain)
    torch.testing.assert_close(
        torch.autograd.grad(ours, wanted, slopes), torch.autograd.grad(plain, wanted, slopes)
    )
